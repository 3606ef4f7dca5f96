import type { MessageId } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Destination } from "../../delivery/destination/destination.ts";
import type { Content, ResponseSink } from "../../plugin/contract.ts";

/** One record of a response stream takes at most this much payload; larger values travel in pieces. */
const WHOLE = 48 * 1024;
const PIECE = LIMITS.chunk;

/** Where a plugin's responses to one work go: into its response stream, for as long as the work has not ended. */
export class JobSink implements ResponseSink {
  readonly #id: MessageId;
  readonly #destination: Destination;
  #over = false;
  #waiting: (() => void)[] | undefined;

  constructor(id: MessageId, destination: Destination) {
    this.#id = id;
    this.#destination = destination;
  }

  /** The stream takes bytes again. */
  onWritable(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    for (const resolve of waiting) resolve();
  }

  /** The work is over: what comes now goes nowhere, and nothing waits. */
  close(): void {
    this.#over = true;
    this.onWritable();
  }

  respond(content: Content, payload: Uint8Array, channel: string | undefined): boolean {
    if (this.#over) return true;
    if (payload.length <= WHOLE) return this.#destination.respond(this.#id, { content, channel }, payload);
    this.#destination.beginResponse(this.#id, { content, channel, whole: true });
    this.#inPieces(payload);
    return this.#destination.finishResponse(this.#id);
  }

  begin(channel: string | undefined, whole?: Content): void {
    this.#destination.beginResponse(this.#id, { content: whole ?? "bytes", channel, whole: whole !== undefined });
  }

  chunk(bytes: Uint8Array): boolean {
    return this.#over || this.#inPieces(bytes);
  }

  finish(): void {
    this.#destination.finishResponse(this.#id);
  }

  ready(): Promise<void> {
    if (this.#over) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = [...(this.#waiting ?? []), resolve];
    });
  }

  #inPieces(payload: Uint8Array): boolean {
    let room = true;
    for (let at = 0; at < payload.length; at += PIECE) room = this.#destination.chunk(this.#id, payload.subarray(at, at + PIECE));
    return room;
  }
}
