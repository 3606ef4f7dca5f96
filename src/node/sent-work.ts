import type { Writable } from "node:stream";
import { MeshError } from "../core/errors.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import { LIMITS } from "../core/limits.ts";
import type { WorkEnd } from "../wire/record.ts";
import type { Response, Work, WorkEvent, WorkResult, WorkState } from "./api.ts";
import { Emitter } from "./emitter.ts";
import type { WorkResponse } from "./response.ts";
import { ResponseReader } from "./response-reader.ts";
import { abortable } from "./signals.ts";

/** What a sent work asks of the engine. */
export interface SentWorkPort {
  consumed(count: number): void;
  cancel(error: MeshError): void;
  /** Nothing more will come of it. */
  forget(): void;
}

interface Waiting {
  readonly response: WorkResponse;
  readonly size: number;
}

/** What may still come of a cancelled work without being read: what its worker had written, and what was on its way. */
const LAST_WORDS = 4 * LIMITS.credit;

type Outcome = { readonly end: WorkEnd } | { readonly error: MeshError };

/** The sender's handle on one work at one node. */
export class SentWork implements Work {
  readonly id: MessageId;
  readonly directive: string;
  readonly members: readonly Work[] = [];
  readonly startedAt: number;
  input: Writable | undefined;
  node: NodeId;
  state: WorkState = "sent";
  responses = 0;
  readonly #port: SentWorkPort;
  readonly #reader: ResponseReader;
  /** Made when somebody first listens. */
  #events: Emitter<WorkEvent> | undefined;
  readonly #history: WorkEvent[] = [];
  readonly #queue: Waiting[] = [];
  readonly #accepted = new Gate();
  readonly #parked = new Gate();
  readonly #ended = new Gate();
  #readers = 0;
  #draining = false;
  /** One for each reader that waits. */
  readonly #wakes: (() => void)[] = [];
  #outcome: Outcome | undefined;
  /** Bytes that came, and of these: that the worker was told of as read. */
  #received = 0;
  #credited = 0;
  /** Bytes of which the worker was told too early: what its program reads next is not told again. */
  #ahead = 0;
  /** Up to here everything counts as read. */
  #freeUntil = 0;

  constructor(
    facts: { readonly id: MessageId; readonly node: NodeId; readonly directive: string; readonly now: number },
    port: SentWorkPort,
  ) {
    this.id = facts.id;
    this.node = facts.node;
    this.directive = facts.directive;
    this.startedAt = facts.now;
    this.#port = port;
    this.#reader = new ResponseReader(
      {
        onResponse: (response, size) => this.#arrived(response, size),
        onRunning: () => this.#move("running", { type: "running", id: this.id, node: this.node }),
        onEnd: (end) => this.#finish({ end }),
      },
      (count) => this.#consumed(count),
    );
    this.#say({ type: "sent", id: this.id, node: this.node });
  }

  /** Settles when the destination has taken it, or will not. */
  accepted(): Promise<void> {
    return this.#accepted.promise();
  }

  /** Settles when it waits on a disk somewhere, or is past that. */
  parkedOrAccepted(): Promise<void> {
    return Promise.race([this.#parked.promise(), this.#accepted.promise()]);
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
    this.#move("parked", { type: "parked", id: this.id, node, ttl });
    this.#parked.open();
  }

  onAccepted(node: NodeId): void {
    this.node = node;
    this.#move("queued", { type: "accepted", id: this.id, node });
    this.#accepted.open();
  }

  onAttached(serial: number, wanted: number): void {
    this.#reader.startAt(serial, wanted);
    this.onAccepted(this.node);
  }

  /** The worker runs it again: what has been had of it already is left out. */
  onRerun(): void {
    this.#reader.restart(this.responses + 1);
  }

  onBytes(bytes: Uint8Array): void {
    this.#received += bytes.length;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      const failure = new MeshError("PROTOCOL_ERROR", "the responses are not in the form they must have", { cause: error });
      this.#port.cancel(failure);
      this.onFailed(failure);
    }
    if (this.#freeUntil > 0) this.#hurry();
  }

  /** The stream is whole: without an end in it, it is incomplete. */
  onStreamEnd(): void {
    if (this.#outcome === undefined) this.onFailed(new MeshError("STREAM_INCOMPLETE", "the responses ended without the work's end"));
  }

  onFailed(error: MeshError): void {
    this.#reader.fail(error);
    this.#finish({ error });
  }

  /** Several readers share the responses: each goes to one of them. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Response> {
    this.#readers++;
    let current: WorkResponse | undefined;
    try {
      for (;;) {
        const next = this.#queue.shift();
        if (next !== undefined) {
          current?.abandon();
          current = next.response;
          this.#consumed(next.size);
          yield next.response;
          continue;
        }
        if (this.#outcome !== undefined) break;
        await new Promise<void>((resolve) => this.#wakes.push(resolve));
      }
    } finally {
      this.#readers--;
      current?.abandon();
      if (this.#draining) this.#drain();
    }
    const error = this.error;
    if (error !== undefined) throw error;
  }

  async *events(): AsyncGenerator<WorkEvent> {
    const past = [...this.#history];
    const live = this.#outcome === undefined ? (this.#events ??= new Emitter()).read() : undefined;
    yield* past;
    if (live !== undefined) yield* live;
  }

  async cancel(): Promise<void> {
    if (this.#outcome !== undefined) return;
    this.#port.cancel(new MeshError("CANCELLED", "cancelled by its sender"));
    this.#freeUntil = this.#credited + LAST_WORDS;
    this.#hurry();
    await this.#ended.promise();
  }

  async result(options: { readonly signal?: AbortSignal } = {}): Promise<WorkResult> {
    this.#draining = true;
    this.#drain();
    await abortable(this.#ended.promise(), options.signal);
    const error = this.error;
    if (error !== undefined) throw error;
    const outcome = this.#outcome;
    if (outcome === undefined || "error" in outcome) throw new MeshError("INTERNAL", "a work ended without an outcome");
    return { state: "succeeded", responses: outcome.end.responses, exitCode: outcome.end.exitCode };
  }

  /** Settles at the end, however it was. */
  ended(): Promise<void> {
    return this.#ended.promise();
  }

  #arrived(response: WorkResponse, size: number): void {
    this.responses++;
    if (this.#draining && this.#readers === 0) {
      response.abandon();
      this.#consumed(size);
      return;
    }
    this.#queue.push({ response, size });
    this.#rouse();
  }

  #drain(): void {
    if (this.#readers > 0) return;
    for (const { response, size } of this.#queue.splice(0)) {
      response.abandon();
      this.#consumed(size);
    }
  }

  /** The program has read so many bytes. */
  #consumed(count: number): void {
    const told = Math.min(count, this.#ahead);
    this.#ahead -= told;
    this.#credit(count - told);
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
    this.#credited += count;
    this.#port.consumed(count);
  }

  #finish(outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    const state = "end" in outcome ? outcome.end.state : outcome.error.code === "CANCELLED" ? "cancelled" : "failed";
    const error = this.error;
    this.#move(state, { type: "end", id: this.id, node: this.node, state, ...(error === undefined ? {} : { error }) });
    this.#events?.close();
    if (error === undefined) this.#accepted.open();
    else this.#accepted.fail(error);
    this.#parked.open();
    this.#ended.open();
    this.input?.destroy();
    this.#port.forget();
    this.#rouse();
  }

  #move(state: WorkState, event: WorkEvent): void {
    this.state = state;
    this.#say(event);
  }

  #say(event: WorkEvent): void {
    this.#history.push(event);
    this.#events?.emit(event);
  }

  #rouse(): void {
    if (this.#wakes.length > 0) for (const wake of this.#wakes.splice(0)) wake();
  }
}

function failureOf(end: WorkEnd): MeshError | undefined {
  if (end.state === "succeeded") return undefined;
  if (end.error !== undefined)
    return end.exitCode === undefined
      ? end.error
      : new MeshError(end.error.code, end.error.message, { data: { ...end.error.data, exitCode: end.exitCode } });
  return new MeshError(end.state === "cancelled" ? "CANCELLED" : "WORK_FAILED", `the work ${end.state}`);
}

/** A promise made only when somebody waits, so that a failure nobody waits for is no unhandled rejection. */
class Gate {
  #settled: { readonly error: MeshError | undefined } | undefined;
  #waiting: { resolve: () => void; reject: (error: MeshError) => void }[] | undefined;

  open(): void {
    this.#settle(undefined);
  }

  fail(error: MeshError): void {
    this.#settle(error);
  }

  promise(): Promise<void> {
    if (this.#settled === undefined) return new Promise((resolve, reject) => (this.#waiting ??= []).push({ resolve, reject }));
    return this.#settled.error === undefined ? Promise.resolve() : Promise.reject(this.#settled.error);
  }

  #settle(error: MeshError | undefined): void {
    if (this.#settled !== undefined) return;
    this.#settled = { error };
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const { resolve, reject } of waiting) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }
}
