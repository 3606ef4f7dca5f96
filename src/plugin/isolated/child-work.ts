import { countBytes, BOUNDS, KIND } from "./frames.ts";
import type { MeshError } from "../../core/errors.ts";
import type { ByteSource, Content, ResponseSink } from "../contract.ts";
import { InlineSource, PayloadStream } from "../payload-stream.ts";
import type { Channel } from "./channel.ts";
import { responseHead } from "./messages.ts";

/** The payload of one work, as it comes from the node. What the plugin takes is told to the node, which then sends more. */
export class ChildPayload {
  readonly source: ByteSource;
  readonly #incoming: PayloadStream | undefined;
  #over = false;

  /** `inline` undefined: it comes in pieces. */
  constructor(channel: Channel, work: number, inline: Uint8Array | undefined) {
    if (inline !== undefined) {
      this.source = new InlineSource(inline);
      return;
    }
    const incoming = new PayloadStream((count) => {
      if (!this.#over) channel.send(KIND.taken, work, countBytes(count));
    });
    this.#incoming = incoming;
    this.source = { stream: incoming.readable };
  }

  add(bytes: Uint8Array): void {
    this.#incoming?.add(bytes);
  }

  finish(): void {
    this.#incoming?.finish();
  }

  fail(error: MeshError): void {
    this.#incoming?.readable.destroy(error);
  }

  /** The work is over. */
  close(): void {
    this.#over = true;
    this.#incoming?.close();
  }
}

/** Where a plugin's responses to one work go: to the node, as far ahead of it as the window allows. What is larger waits here. */
export class ChildSink implements ResponseSink {
  readonly #channel: Channel;
  readonly #work: number;
  /** What the node has not taken. */
  #inFlight = 0;
  /** Begun, and not sent to its end. */
  #waiting: { readonly bytes: Uint8Array; readonly last: boolean } | undefined;
  #ready: (() => void)[] = [];
  #over = false;

  constructor(channel: Channel, work: number) {
    this.#channel = channel;
    this.#work = work;
  }

  respond(content: Content, payload: Uint8Array, channel: string | undefined): boolean {
    if (payload.length <= BOUNDS.piece) {
      this.#send(KIND.respond, payload.length, responseHead({ content, channel }), payload);
      return this.#hasRoom;
    }
    this.#send(KIND.begin, 0, responseHead({ content, channel }));
    return this.#pieces(payload, true);
  }

  begin(channel: string | undefined, whole?: Content): void {
    this.#send(KIND.begin, 0, responseHead({ content: whole, channel }));
  }

  chunk(bytes: Uint8Array): boolean {
    return this.#pieces(bytes, false);
  }

  finish(): void {
    this.#send(KIND.finish, 0);
  }

  ready(): Promise<void> {
    if (this.#hasRoom) return Promise.resolve();
    return new Promise((resolve) => this.#ready.push(resolve));
  }

  /** The node took so much. */
  credit(count: number): void {
    this.#inFlight -= count;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      this.#pieces(waiting.bytes, waiting.last);
    }
    if (this.#hasRoom) for (const resolve of this.#ready.splice(0)) resolve();
  }

  /** The work is over: nothing of it is sent any more, and nobody waits. */
  close(): void {
    this.#over = true;
    this.#waiting = undefined;
    for (const resolve of this.#ready.splice(0)) resolve();
  }

  get #hasRoom(): boolean {
    return this.#over || (this.#inFlight < BOUNDS.window && this.#waiting === undefined);
  }

  /** `last`: with its end, the response ends. */
  #pieces(bytes: Uint8Array, last: boolean): boolean {
    let at = 0;
    while (at < bytes.length && this.#inFlight < BOUNDS.window) {
      const piece = bytes.subarray(at, at + BOUNDS.piece);
      at += piece.length;
      this.#send(KIND.chunk, piece.length, piece);
    }
    if (at < bytes.length) this.#waiting = { bytes: bytes.subarray(at), last };
    else if (last) this.finish();
    return this.#hasRoom;
  }

  #send(
    kind: typeof KIND.respond | typeof KIND.begin | typeof KIND.chunk | typeof KIND.finish,
    count: number,
    ...data: Uint8Array[]
  ): void {
    if (this.#over) return;
    this.#inFlight += count + BOUNDS.overhead;
    this.#channel.send(kind, this.#work, ...data);
  }
}
