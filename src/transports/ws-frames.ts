/** The longest WebSocket message that is taken or sent; longer writes leave as several. */
export const MAX_MESSAGE = 1024 * 1024;

/** Room for what a node sends at once, with its header. What is longer is left to `ws` to put together. */
const HELD_MAX = 136 * 1024;
/** How many such buffers stay for later. */
const KEEP = 8;
/** The first byte of a binary message that is one frame, and not compressed. */
const WHOLE_BINARY = 0x82;

const free: Buffer[] = [];

/**
 * Cuts what comes over a WebSocket between its frames, for who reads into a buffer that is used again: `ws` keeps what it has of a frame
 * until the rest comes, but is done with a whole binary message when it has taken it. So those are handed on where they are, as many at
 * once as there are, and one that has only begun waits here for its end. All other frames are handed on as they come, in copies.
 */
export class WsFrames {
  readonly #masked: boolean;
  readonly #emit: (bytes: Buffer) => void;
  /** A frame that has begun: its bytes, how many there are, and how many it has in all, or 0 where that is not known yet. */
  #held: Buffer | undefined;
  #length = 0;
  #size = 0;
  /** What is still to come of a frame whose beginning was handed on. */
  #passing = 0;

  /** `masked`: the other end masks, as who dials does. What `emit` is given changes after the call. */
  constructor(masked: boolean, emit: (bytes: Buffer) => void) {
    this.#masked = masked;
    this.#emit = emit;
  }

  put(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#passing > 0) at = this.#pass(chunk, at);
      else if (this.#held === undefined) at = this.#whole(chunk, at);
      else at = this.#hold(this.#held, chunk, at);
    }
  }

  /** Lets go of what it holds: nothing more comes. */
  end(): void {
    if (this.#held !== undefined) this.#release(this.#held);
  }

  /** Hands on the whole messages at `start`; where there are none, begins to hold. */
  #whole(chunk: Uint8Array, start: number): number {
    let end = start;
    for (;;) {
      const size = this.#sizeOf(chunk, end, chunk.length);
      if (size <= 0 || end + size > chunk.length) break;
      end += size;
    }
    if (end > start) this.#emit(Buffer.from(chunk.buffer, chunk.byteOffset + start, end - start));
    else this.#held = free.pop() ?? Buffer.allocUnsafeSlow(HELD_MAX);
    return end;
  }

  #pass(chunk: Uint8Array, start: number): number {
    const end = Math.min(chunk.length, start + this.#passing);
    this.#passing -= end - start;
    this.#emit(Buffer.from(chunk.subarray(start, end)));
    return end;
  }

  #hold(held: Buffer, chunk: Uint8Array, start: number): number {
    let at = start;
    while (this.#size === 0 && at < chunk.length) {
      held[this.#length++] = chunk[at++] ?? 0;
      this.#size = this.#sizeOf(held, 0, this.#length);
    }
    const size = this.#size;
    if (size === 0) return at;
    if (size < 0 || size > HELD_MAX) {
      this.#passing = Math.abs(size) - this.#length;
      const begun = Buffer.from(held.subarray(0, this.#length));
      this.#release(held);
      this.#emit(begun);
      return at;
    }
    const end = Math.min(chunk.length, at + size - this.#length);
    held.set(chunk.subarray(at, end), this.#length);
    this.#length += end - at;
    if (this.#length === size) {
      this.#forget();
      this.#emit(held.subarray(0, size));
      giveBack(held);
    }
    return end;
  }

  /** Bytes of the frame at `at` with its header; negative where it is no whole binary message; 0 where `end` comes too early to say. */
  #sizeOf(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 2) return 0;
    const second = bytes[at + 1] ?? 0;
    const short = second & 0x7f;
    const extended = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (end - at < 2 + extended) return 0;
    let length = extended === 0 ? short : 0;
    for (let i = 0; i < extended; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0);
    const masked = second > 0x7f;
    const size = 2 + extended + (masked ? 4 : 0) + length;
    return bytes[at] === WHOLE_BINARY && masked === this.#masked && length <= MAX_MESSAGE ? size : -size;
  }

  #release(held: Buffer): void {
    this.#forget();
    giveBack(held);
  }

  #forget(): void {
    this.#held = undefined;
    this.#length = 0;
    this.#size = 0;
  }
}

function giveBack(held: Buffer): void {
  if (free.length < KEEP) free.push(held);
}
