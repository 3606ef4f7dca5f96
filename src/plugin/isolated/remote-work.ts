import type { Readable } from "node:stream";
import { MeshError } from "../../core/errors.ts";
import type { Outcome } from "../contract.ts";
import type { Context, Input } from "../definition.ts";
import { Encoded } from "../encoded.ts";
import { PayloadStream } from "../payload-stream.ts";
import { BOUNDS, countBytes, type Frame, KIND, type Kind, readCount } from "./frames.ts";
import { errorMessage, readOutcome, readResponseHead, toJson, type WorkOrder } from "./messages.ts";

/** What a work needs of the process that runs it. */
export interface WorkWay {
  send(kind: Kind, ...data: Uint8Array[]): void;
  /** It does not end though it was told to. */
  overdue(): void;
}

/** What one may have sent over before the other's word is on its way: a frame that was begun with room for one byte. */
const SLACK = BOUNDS.frame + BOUNDS.overhead;
/** The node tells what it took when it is so much. */
const OWED = BOUNDS.window / 4;

interface Waiting {
  settle(result: IteratorResult<Encoded, undefined>): void;
  fail(error: Error): void;
}

/**
 * One work that runs in a plugin's process, as the runner of this process sees it: an iterator of responses. What the process may have
 * sent of it is bounded, and it may send more only as responses are taken from here.
 */
export class RemoteWork implements AsyncIterator<Encoded, undefined> {
  readonly #context: Context;
  readonly #abortLimit: number;
  #way: WorkWay | undefined;
  /** Each with what it cost the window; the bytes of a stream are counted as they are read. */
  readonly #arrived: { readonly response: Encoded; readonly cost: number }[] = [];
  #stream: PayloadStream | undefined;
  #inFlight = 0;
  #owed = 0;
  #sent = 0;
  #input: Readable | undefined;
  #waiting: Waiting | undefined;
  #ended: Outcome | undefined;
  #returned: (() => void)[] | undefined;
  #overdue: NodeJS.Timeout | undefined;

  constructor(context: Context, abortLimit: number) {
    this.#context = context;
    this.#abortLimit = abortLimit;
  }

  /** Sends the work to a process, unless it was ended meanwhile. */
  async begin(way: WorkWay, input: Input): Promise<void> {
    const { id, action, sender, headers } = this.#context;
    const inline = input.length !== undefined && input.length <= BOUNDS.piece ? await input.bytes() : undefined;
    if (this.#ended !== undefined) return;
    this.#way = way;
    const order: WorkOrder = { id, action, sender, headers, inline: inline !== undefined };
    const json = toJson(order);
    way.send(KIND.work, countBytes(json.length), json, ...(inline === undefined ? [] : [inline]));
    if (inline === undefined) this.#pump(input.stream());
  }

  /** What the process says of this work. Throws PROTOCOL_ERROR, TOO_LARGE. */
  onFrame({ kind, data }: Frame): void {
    if (this.#ended !== undefined) throw new MeshError("PROTOCOL_ERROR", "a frame of a work that has ended");
    switch (kind) {
      case KIND.respond: {
        const { head, payload } = readResponseHead(data);
        const cost = this.#take(payload.length);
        if (this.#stream !== undefined) throw new MeshError("PROTOCOL_ERROR", "a response inside of another");
        return this.#arrive(new Encoded(head.content, head.channel, payload), cost);
      }
      case KIND.begin: {
        const { head, payload } = readResponseHead(data);
        const cost = this.#take(payload.length);
        if (this.#stream !== undefined || payload.length > 0) throw new MeshError("PROTOCOL_ERROR", "a response inside of another");
        this.#stream = new PayloadStream((count) => this.#taken(count + BOUNDS.overhead));
        return this.#arrive(new Encoded(head.content, head.channel, this.#stream.readable), cost);
      }
      case KIND.chunk:
        this.#take(data.length);
        if (this.#stream === undefined || data.length === 0) throw new MeshError("PROTOCOL_ERROR", "a chunk of no response");
        return this.#stream.add(data);
      case KIND.finish:
        this.#taken(this.#take(data.length));
        if (this.#stream === undefined) throw new MeshError("PROTOCOL_ERROR", "an end of no response");
        this.#stream.finish();
        this.#stream = undefined;
        return;
      case KIND.taken:
        return this.#credit(readCount(data));
      case KIND.ended: {
        const outcome = readOutcome(data);
        if (outcome.error === undefined && this.#stream !== undefined && this.#returned === undefined) {
          throw new MeshError("PROTOCOL_ERROR", "a work that ended inside of a response");
        }
        return this.#onEnded(outcome);
      }
      default:
        throw new MeshError("PROTOCOL_ERROR", `a frame of kind ${kind}`);
    }
  }

  /** The process is gone, or was never there. */
  gone(error: MeshError): void {
    if (this.#ended === undefined) this.#onEnded({ error });
  }

  next(): Promise<IteratorResult<Encoded, undefined>> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) {
      this.#taken(arrived.cost);
      return Promise.resolve({ done: false, value: arrived.response });
    }
    return new Promise((settle, fail) => {
      this.#waiting = { settle, fail };
      if (this.#ended !== undefined || this.#returned !== undefined) this.#settle();
    });
  }

  /** Tells the process to stop; resolves when it has. */
  return(): Promise<IteratorResult<Encoded, undefined>> {
    const over = { done: true, value: undefined } as const;
    if (this.#ended !== undefined) return Promise.resolve(over);
    if (this.#returned === undefined) {
      this.#returned = [];
      const { signal } = this.#context;
      const reason: unknown = signal.aborted ? signal.reason : undefined;
      const error = reason instanceof MeshError ? reason : new MeshError("CANCELLED", "the work was ended");
      if (this.#way === undefined) this.#onEnded({});
      else {
        this.#way.send(KIND.abort, errorMessage({ error }));
        this.#overdue = setTimeout(() => this.#way?.overdue(), this.#abortLimit);
      }
      this.#settle();
      this.#drop();
    }
    if (this.#ended !== undefined) return Promise.resolve(over);
    const returned = this.#returned;
    return new Promise((resolve) => returned.push(() => resolve(over)));
  }

  /** Counts what came against the window. */
  #take(length: number): number {
    const cost = length + BOUNDS.overhead;
    this.#inFlight += cost;
    if (this.#inFlight > BOUNDS.window + SLACK) {
      throw new MeshError("TOO_LARGE", "responses beyond the window", { data: { limit: BOUNDS.window } });
    }
    return cost;
  }

  /** Gives room for what was taken, in portions. */
  #taken(cost: number): void {
    this.#owed += cost;
    if (this.#owed < OWED || this.#ended !== undefined) return;
    this.#inFlight -= this.#owed;
    this.#way?.send(KIND.credit, countBytes(this.#owed));
    this.#owed = 0;
  }

  #arrive(response: Encoded, cost: number): void {
    // After the abort nobody takes it, and there has to be room for what is still on its way.
    if (this.#returned !== undefined) {
      this.#taken(cost);
      if (!(response.payload instanceof Uint8Array)) response.payload.resume();
      return;
    }
    this.#arrived.push({ response, cost });
    this.#settle();
  }

  #drop(): void {
    for (const { response, cost } of this.#arrived.splice(0)) {
      this.#taken(cost);
      if (!(response.payload instanceof Uint8Array)) response.payload.resume();
    }
  }

  #settle(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) {
      this.#taken(arrived.cost);
      return waiting.settle({ done: false, value: arrived.response });
    }
    const error = this.#returned === undefined ? this.#ended?.error : undefined;
    if (error === undefined) return waiting.settle({ done: true, value: undefined });
    const { exitCode } = this.#ended ?? {};
    waiting.fail(exitCode === undefined ? error : Object.assign(error, { exitCode }));
  }

  #onEnded(outcome: Outcome): void {
    this.#ended = outcome;
    clearTimeout(this.#overdue);
    this.#stream?.readable.destroy(outcome.error ?? new MeshError("STREAM_INCOMPLETE", "the response broke off"));
    this.#input?.off("data", this.#onInput);
    this.#settle();
    for (const resolve of this.#returned?.splice(0) ?? []) resolve();
  }

  /** Sends the payload at the pace that the plugin takes it. */
  #pump(stream: Readable): void {
    this.#input = stream;
    stream.on("data", this.#onInput);
    stream.on("end", () => this.#send(KIND.payloadEnd));
    stream.on("error", (cause) => {
      const error = cause instanceof MeshError ? cause : new MeshError("STREAM_INCOMPLETE", "the payload broke off", { cause });
      this.#send(KIND.payloadFailed, errorMessage({ error }));
    });
  }

  readonly #onInput = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; at += BOUNDS.piece) this.#send(KIND.payload, bytes.subarray(at, at + BOUNDS.piece));
    this.#sent += bytes.length;
    if (this.#sent >= BOUNDS.window) this.#input?.pause();
  };

  #credit(count: number): void {
    if (count > this.#sent) throw new MeshError("PROTOCOL_ERROR", "more taken than was sent");
    this.#sent -= count;
    if (this.#sent < BOUNDS.window) this.#input?.resume();
  }

  #send(kind: Kind, ...data: Uint8Array[]): void {
    if (this.#ended === undefined) this.#way?.send(kind, ...data);
  }
}
