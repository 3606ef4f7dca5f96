import type { Writable } from "node:stream";
import { MeshError } from "../../core/errors.ts";
import { Fifo } from "../../core/fifo.ts";
import type { MessageId, NodeId } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import type { WorkEnd } from "../../wire/record.ts";
import type { EachResponse, Response, Work, WorkEvent, WorkResult, WorkState } from "../api.ts";
import { Deferred } from "./deferred.ts";
import { Emitter } from "../emitter.ts";
import type { WorkResponse } from "./response.ts";
import { ResponseIterator, type ResponseSource, type ResponseWaiter } from "./response-iterator.ts";
import { forEachResponse } from "./response-loop.ts";
import { type ResponseHandlers, ResponseReader } from "./response-reader.ts";
import { abortable } from "../signals.ts";

/** What sent works ask of the engine. */
export interface SentWorkPort {
  consumed(id: MessageId, count: number): void;
  cancel(id: MessageId, error: MeshError): void;
  /** Nothing more will come of it. */
  forget(work: SentWork): void;
}

/** What may still come of a cancelled work without being read: what its worker had written, and what was on its way. */
const LAST_WORDS = 4 * LIMITS.credit;

type Outcome = { readonly end: WorkEnd } | { readonly error: MeshError };

/** The sender's handle on one work at one node. What few programs ask for is made when they do. */
export class SentWork implements Work, ResponseHandlers, ResponseSource {
  readonly id: MessageId;
  readonly directive: string;
  readonly startedAt: number;
  input: Writable | undefined;
  node: NodeId;
  state: WorkState = "sent";
  responses = 0;
  readonly #port: SentWorkPort;
  #reader: ResponseReader | undefined;
  #events: Emitter<WorkEvent> | undefined;
  /** What has happened so far, for who asks for the events later. */
  #parked: { readonly node: NodeId; readonly ttl: number }[] | undefined;
  #isAccepted = false;
  #runs = 0;
  #queue: Fifo<WorkResponse> | undefined;
  #waiting: ResponseWaiter[] | undefined;
  #acceptance: Deferred<this> | undefined;
  #rest: Deferred<void> | undefined;
  #ended: Deferred<void> | undefined;
  #readers = 0;
  #draining = false;
  #outcome: Outcome | undefined;
  /** Bytes that came, and of these: that the worker was told of as read. */
  #received = 0;
  #credited = 0;
  /** Bytes read while others are being cut into responses: told all together. */
  #owed: number | undefined;
  /** Bytes that were read of a queue that is not empty yet: told when it is, or when they are many. */
  #untold = 0;
  /** Bytes of which the worker was told too early: what its program reads next is not told again. */
  #ahead = 0;
  /** Up to here everything counts as read. */
  #freeUntil = 0;

  constructor(id: MessageId, node: NodeId, directive: string, now: number, port: SentWorkPort) {
    this.id = id;
    this.node = node;
    this.directive = directive;
    this.startedAt = now;
    this.#port = port;
  }

  get members(): readonly Work[] {
    return NO_MEMBERS;
  }

  /** Settles when the destination has taken it, or will not. */
  accepted(): Promise<this> {
    if (this.#isAccepted) return Promise.resolve(this);
    if (this.#outcome === undefined) return (this.#acceptance ??= new Deferred()).promise;
    const { error } = this;
    return error === undefined ? Promise.resolve(this) : Promise.reject(error);
  }

  /** Settles when it waits on a disk somewhere, or is past that. */
  async parkedOrAccepted(): Promise<void> {
    if (this.#parked !== undefined || this.#isAccepted) return;
    if (this.#outcome === undefined) return await (this.#rest ??= new Deferred()).promise;
    const { error } = this;
    if (error !== undefined) throw error;
  }

  get over(): boolean {
    return this.#outcome !== undefined;
  }

  get error(): MeshError | undefined {
    const outcome = this.#outcome;
    if (outcome === undefined) return undefined;
    return "error" in outcome ? outcome.error : failureOf(outcome.end);
  }

  onParked(node: NodeId, ttl: number): void {
    this.state = "parked";
    (this.#parked ??= []).push({ node, ttl });
    this.#events?.emit({ type: "parked", id: this.id, node, ttl });
    this.#rest?.resolve();
  }

  onAccepted(node: NodeId): void {
    this.node = node;
    this.state = "queued";
    this.#isAccepted = true;
    this.#events?.emit({ type: "accepted", id: this.id, node });
    this.#acceptance?.resolve(this);
    this.#rest?.resolve();
  }

  onAttached(serial: number, wanted: number): void {
    this.#responseReader().startAt(serial, wanted);
    this.onAccepted(this.node);
  }

  /** The worker runs it again: what has been had of it already is left out. */
  onRerun(): void {
    this.#responseReader().restart(this.responses + 1);
  }

  onBytes(bytes: Uint8Array): void {
    this.#received += bytes.length;
    this.#owed = 0;
    try {
      this.#responseReader().push(bytes);
    } catch (error) {
      const failure = new MeshError("PROTOCOL_ERROR", "the responses are not in the form they must have", { cause: error });
      this.#port.cancel(this.id, failure);
      this.onFailed(failure);
    }
    const owed = this.#owed;
    this.#owed = undefined;
    this.#credit(owed);
    if (this.#freeUntil > 0) this.#hurry();
  }

  /** The stream is whole: without an end in it, it is incomplete. */
  onStreamEnd(): void {
    if (this.#outcome === undefined) this.onFailed(new MeshError("STREAM_INCOMPLETE", "the responses ended without the work's end"));
  }

  onFailed(error: MeshError): void {
    this.#reader?.fail(error);
    this.#finish({ error });
  }

  onRunning(): void {
    this.state = "running";
    this.#runs++;
    this.#events?.emit({ type: "running", id: this.id, node: this.node });
  }

  onEnd(end: WorkEnd): void {
    this.#finish({ end });
  }

  onResponse(response: WorkResponse): void {
    this.responses++;
    if (this.#draining && this.#readers === 0) return this.#throwAway(response);
    for (let waiter = this.#waiting?.shift(); waiter !== undefined; waiter = this.#waiting?.shift()) {
      if (!waiter.give(response)) continue;
      return this.consumed(response.size);
    }
    (this.#queue ??= new Fifo()).push(response);
  }

  /** The program has read so many bytes. */
  consumed(count: number): void {
    const told = Math.min(count, this.#ahead);
    this.#ahead -= told;
    this.#credit(count - told);
  }

  /** Several readers share the responses: each goes to one of them. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Response> {
    return new ResponseIterator(this);
  }

  async forEach(each: EachResponse, { signal }: { readonly signal?: AbortSignal } = {}): Promise<WorkResult> {
    await forEachResponse(this, each, signal);
    return await this.result();
  }

  take(): WorkResponse | undefined {
    const queue = this.#queue;
    const response = queue?.shift();
    if (response === undefined) return undefined;
    this.#untold += response.size;
    if (this.#untold >= TELL || queue?.size === 0) this.#tell();
    return response;
  }

  enter(): void {
    this.#readers++;
  }

  leave(): void {
    this.#readers--;
    this.#tell();
    if (this.#draining) this.#drain();
  }

  wait(waiter: ResponseWaiter): void {
    (this.#waiting ??= []).push(waiter);
  }

  async *events(): AsyncGenerator<WorkEvent> {
    const past = this.#past();
    const live = this.#outcome === undefined ? (this.#events ??= new Emitter()).read() : undefined;
    yield* past;
    if (live !== undefined) yield* live;
  }

  async cancel(): Promise<void> {
    if (this.#outcome !== undefined) return;
    this.#port.cancel(this.id, new MeshError("CANCELLED", "cancelled by its sender"));
    this.#freeUntil = this.#credited + LAST_WORDS;
    this.#hurry();
    await this.ended();
  }

  async result(options: { readonly signal?: AbortSignal } = {}): Promise<WorkResult> {
    this.#draining = true;
    this.#drain();
    await abortable(this.ended(), options.signal);
    const error = this.error;
    if (error !== undefined) throw error;
    const outcome = this.#outcome;
    if (outcome === undefined || "error" in outcome) throw new MeshError("INTERNAL", "a work ended without an outcome");
    return { state: "succeeded", responses: outcome.end.responses, exitCode: outcome.end.exitCode };
  }

  /** Settles at the end, however it was. */
  ended(): Promise<void> {
    return this.#outcome === undefined ? (this.#ended ??= new Deferred()).promise : Promise.resolve();
  }

  #responseReader(): ResponseReader {
    return (this.#reader ??= new ResponseReader(this));
  }

  #drain(): void {
    if (this.#readers > 0) return;
    for (let response = this.#queue?.shift(); response !== undefined; response = this.#queue?.shift()) this.#throwAway(response);
  }

  #tell(): void {
    const count = this.#untold;
    this.#untold = 0;
    this.consumed(count);
  }

  #throwAway(response: WorkResponse): void {
    response.abandon();
    this.consumed(response.size);
  }

  /** What has come counts as read, so that the end comes through although nobody reads. */
  #hurry(): void {
    const early = Math.min(this.#received, this.#freeUntil) - this.#credited;
    if (early <= 0) return;
    this.#ahead += early;
    this.#credit(early);
  }

  #credit(count: number): void {
    if (count === 0) return;
    if (this.#owed !== undefined) {
      this.#owed += count;
      return;
    }
    this.#credited += count;
    this.#port.consumed(this.id, count);
  }

  #finish(outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.state = "end" in outcome ? outcome.end.state : outcome.error.code === "CANCELLED" ? "cancelled" : "failed";
    const error = this.error;
    this.#events?.emit(this.#endEvent());
    this.#events?.close();
    if (error === undefined) {
      this.#acceptance?.resolve(this);
      this.#rest?.resolve();
    } else {
      this.#acceptance?.reject(error);
      this.#rest?.reject(error);
    }
    this.#ended?.resolve();
    this.input?.destroy();
    this.#port.forget(this);
    for (let waiter = this.#waiting?.shift(); waiter !== undefined; waiter = this.#waiting?.shift()) waiter.end();
  }

  #past(): WorkEvent[] {
    const { id, node } = this;
    const past: WorkEvent[] = [{ type: "sent", id, node }];
    for (const parked of this.#parked ?? []) past.push({ type: "parked", id, ...parked });
    if (this.#isAccepted) past.push({ type: "accepted", id, node });
    for (let run = 0; run < this.#runs; run++) past.push({ type: "running", id, node });
    if (this.#outcome !== undefined) past.push(this.#endEvent());
    return past;
  }

  #endEvent(): WorkEvent {
    const { id, node, state, error } = this;
    const ended = state === "succeeded" || state === "cancelled" ? state : "failed";
    return { type: "end", id, node, state: ended, ...(error === undefined ? {} : { error }) };
  }
}

/** Bytes: little beside what a worker may be ahead. */
const TELL = LIMITS.credit / 16;
const NO_MEMBERS: readonly Work[] = [];

function failureOf(end: WorkEnd): MeshError | undefined {
  if (end.state === "succeeded") return undefined;
  if (end.error !== undefined)
    return end.exitCode === undefined
      ? end.error
      : new MeshError(end.error.code, end.error.message, { data: { ...end.error.data, exitCode: end.exitCode } });
  return new MeshError(end.state === "cancelled" ? "CANCELLED" : "WORK_FAILED", `the work ${end.state}`);
}
