import { concat } from "../../core/bytes.ts";
import { MeshError } from "../../core/errors.ts";

/** What passes between a node and a plugin's process. SPEC.md says what each one carries, and when it may come. */
export const KIND = {
  load: 1,
  start: 2,
  stop: 3,
  work: 4,
  payload: 5,
  payloadEnd: 6,
  payloadFailed: 7,
  credit: 8,
  abort: 9,
  done: 32,
  refused: 33,
  fault: 34,
  log: 35,
  respond: 36,
  begin: 37,
  chunk: 38,
  finish: 39,
  taken: 40,
  ended: 41,
} as const;

export type Kind = (typeof KIND)[keyof typeof KIND];

/** Bytes. */
export const BOUNDS = {
  /** Payload of one frame with work in it. */
  piece: 32 * 1024,
  /** The rest of any frame from a plugin's process. */
  frame: 64 * 1024,
  /** The same from the node, which tells a plugin its whole configuration in one. */
  fromNode: 16 * 1024 * 1024,
  /** What one side may have sent of one work, in one direction, before the other has taken it. */
  window: 256 * 1024,
  /** What a frame counts beside its payload, so that empty ones are bounded too. */
  overhead: 64,
} as const;

/** Length of what follows (4 bytes), kind (1), work (4); numbers are little-endian. */
const HEAD = 9;
const REST = HEAD - 4;

export interface Frame {
  /** One of KIND, or what a hostile process says in its place. */
  readonly kind: number;
  /** Which work; 0: none. */
  readonly work: number;
  /** A view of what was read. */
  readonly data: Uint8Array;
}

/** The head of a frame whose data follows. */
export function frameHead(kind: Kind, work: number, length: number): Uint8Array {
  const head = new Uint8Array(HEAD);
  const view = new DataView(head.buffer);
  view.setUint32(0, REST + length, true);
  head[4] = kind;
  view.setUint32(5, work, true);
  return head;
}

/** Cuts what is read into frames. A length beyond `limit` is refused before anything is kept for it. */
export class FrameReader {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #kept = 0;
  /** Bytes from which there is more to say: of a length, then of a frame. */
  #needed = 4;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes of a frame that has not come whole. */
  get kept(): number {
    return this.#kept;
  }

  /** Throws TOO_LARGE or PROTOCOL_ERROR; then nothing that follows means anything. */
  *read(bytes: Uint8Array): Generator<Frame> {
    if (this.#kept + bytes.length < this.#needed) return this.#keep(bytes);
    const all = this.#kept === 0 ? bytes : concat([...this.#parts, bytes]);
    this.#parts = [];
    this.#kept = 0;
    this.#needed = 4;
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    let at = 0;
    while (all.length - at >= 4) {
      const rest = view.getUint32(at, true);
      if (rest < REST) throw new MeshError("PROTOCOL_ERROR", `a frame of ${rest} bytes`);
      if (rest - REST > this.#limit) throw new MeshError("TOO_LARGE", `a frame of ${rest} bytes`, { data: { limit: this.#limit } });
      this.#needed = 4 + rest;
      if (all.length - at < this.#needed) break;
      this.#needed = 4;
      yield { kind: all[at + 4] ?? 0, work: view.getUint32(at + 5, true), data: all.subarray(at + HEAD, at + 4 + rest) };
      at += 4 + rest;
    }
    this.#keep(all.subarray(at));
  }

  /** Copied, so that a piece of a frame does not hold all that was read with it. */
  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#parts.push(new Uint8Array(bytes));
    this.#kept += bytes.length;
  }
}

/** A count of bytes, as `credit` and `taken` carry it. */
export function countBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, count, true);
  return bytes;
}

/** Throws PROTOCOL_ERROR where it is no count. */
export function readCount(data: Uint8Array): number {
  if (data.length !== 4) throw new MeshError("PROTOCOL_ERROR", "a count of other than 4 bytes");
  return new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true);
}
