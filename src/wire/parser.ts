import { EMPTY } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import { frameLimit, LINK_HEADER } from "./frame.ts";

const NO_VIEW = new DataView(EMPTY.buffer);

/** Called once a frame; `bytes[start, end)` is valid only during the call. */
export type FrameSink = (bytes: Uint8Array, view: DataView, start: number, end: number) => void;

/**
 * Cuts a byte stream into frames. A length is checked before anything is buffered for it; a frame that lies whole in
 * the chunk that it came in is handed on in place, without a copy.
 */
export class FrameParser {
  readonly #sink: FrameSink;
  #limit: number | undefined;
  #partial: Uint8Array = EMPTY;
  #partialView = NO_VIEW;
  #held = 0;
  #stopped = false;

  /** `limit` caps every frame until `lift()`; undefined: each kind's own limit. */
  constructor(sink: FrameSink, limit?: number) {
    this.#sink = sink;
    this.#limit = limit;
  }

  /** The peer is known now: from here on each kind has its own limit. */
  lift(): void {
    this.#limit = undefined;
  }

  /** Gives back the memory that frames in pieces have needed; it is taken again when it is. For links that are idle. */
  trim(): void {
    if (this.#held > 0) return;
    this.#partial = EMPTY;
    this.#partialView = NO_VIEW;
  }

  /** Nothing more is handed on, also not out of the chunk that is being read. */
  stop(): void {
    this.#stopped = true;
    this.#held = 0;
    this.trim();
  }

  /** Throws TOO_LARGE or PROTOCOL_ERROR on a length that no frame may have. */
  push(chunk: Uint8Array): void {
    let at = 0;
    if (this.#held > 0) {
      at = this.#complete(chunk);
      if (at < 0) return;
    }
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const end = chunk.length;
    while (!this.#stopped && end - at >= LINK_HEADER) {
      const length = this.#checked(view.getUint32(at), view.getUint8(at + 4));
      if (end - at < length) break;
      this.#sink(chunk, view, at, at + length);
      at += length;
    }
    if (!this.#stopped && at < end) this.#hold(chunk, at, end);
  }

  /** Adds to the held frame what `chunk` has of it; returns where the next frame begins, or -1 if it is still not whole. */
  #complete(chunk: Uint8Array): number {
    let at = 0;
    if (this.#held < LINK_HEADER) {
      const wanted = Math.min(LINK_HEADER - this.#held, chunk.length);
      this.#append(chunk, 0, wanted);
      at = wanted;
      if (this.#held < LINK_HEADER) return -1;
    }
    const length = this.#checked(this.#partialView.getUint32(0), this.#partialView.getUint8(4));
    const wanted = Math.min(length - this.#held, chunk.length - at);
    this.#append(chunk, at, at + wanted);
    at += wanted;
    if (this.#held < length) return -1;
    this.#held = 0;
    this.#sink(this.#partial, this.#partialView, 0, length);
    return at;
  }

  #hold(chunk: Uint8Array, from: number, to: number): void {
    this.#held = 0;
    this.#append(chunk, from, to);
  }

  #append(chunk: Uint8Array, from: number, to: number): void {
    const needed = this.#held + to - from;
    if (needed > this.#partial.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(65_536, 2 * this.#partial.length), 512));
      grown.set(this.#partial.subarray(0, this.#held));
      this.#partial = grown;
      this.#partialView = new DataView(grown.buffer);
    }
    this.#partial.set(chunk.subarray(from, to), this.#held);
    this.#held = needed;
  }

  #checked(length: number, kind: number): number {
    if (length < LINK_HEADER) throw new MeshError("PROTOCOL_ERROR", `a frame of ${length} bytes is shorter than its header`);
    const limit = this.#limit ?? frameLimit(kind);
    if (length > limit) throw tooLarge(length, kind, limit, this.#limit !== undefined);
    return length;
  }
}

/** Somebody who is not known yet may be another service altogether, and most of those begin with text. */
function tooLarge(length: number, kind: number, limit: number, isNew: boolean): MeshError {
  const first = String.fromCharCode(length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff, kind);
  if (isNew && /^[\x20-\x7e]{5}$/.test(first)) return new MeshError("TOO_LARGE", `no node of a mesh: what it says begins with "${first}"`);
  return new MeshError("TOO_LARGE", `a frame of ${length} bytes, kind ${kind}, is over its limit of ${limit}`);
}
