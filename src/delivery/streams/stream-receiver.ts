import { LIMITS } from "../../core/limits.ts";

const ACK_EVERY = LIMITS.credit / 4;

/** A reader keeps up that has taken at least TAKEN since its last acknowledgement, and has at most LEFT of what has come still to take. */
const TAKEN = ACK_EVERY / 2;
const LEFT = LIMITS.credit / 2;

/** What the receiver wants to tell the sender: at once, soon, or nothing. */
export type AckNeed = "now" | "soon" | undefined;

/** One direction of a stream at the end that reads it: in order, each byte once, never more than its credit. */
export class StreamReceiver {
  #expected: number;
  #consumed: number;
  #fin: number | undefined;
  #ackedAt: number;
  #windowAt: number;
  /** Up to here the sender may send, as it was told. */
  #told: number;
  #gap = false;
  #urgent = false;
  #unsaid = false;

  constructor(start = 0) {
    this.#expected = start;
    this.#consumed = start;
    this.#ackedAt = start;
    this.#windowAt = start;
    this.#told = start + LIMITS.credit;
  }

  /** All bytes before it have arrived. */
  get offset(): number {
    return this.#expected;
  }

  /**
   * How much more may come: up to one credit beyond what the reader has taken, and up to LIMITS.window for one that keeps up, as its sender would
   * wait for each acknowledgement. What was granted once stays so.
   */
  get window(): number {
    const keepsUp = this.#consumed - this.#windowAt >= TAKEN && this.#expected - this.#consumed <= LEFT;
    return Math.max(this.#told, this.#consumed + (keepsUp ? LIMITS.window : LIMITS.credit)) - this.#expected;
  }

  /** Every byte up to the end of the stream has arrived. */
  get whole(): boolean {
    return this.#fin === this.#expected;
  }

  /** It is whole, and its reader has taken all of it. */
  get done(): boolean {
    return this.whole && this.#consumed === this.#expected;
  }

  /** What of a chunk is new; undefined: nothing. A sender that exceeds its credit is not followed. */
  receive(offset: number, bytes: Uint8Array, fin: boolean): Uint8Array | undefined {
    this.#unsaid = true;
    const end = offset + bytes.length;
    if (offset > this.#expected) {
      this.#gap = true;
      this.#urgent = true;
      return undefined;
    }
    if (end > Math.max(this.#told, this.#consumed + LIMITS.credit)) {
      this.#urgent = true;
      return undefined;
    }
    if (fin) {
      this.#fin = end;
      this.#urgent = true;
    }
    if (end <= this.#expected) {
      this.#urgent = true;
      return undefined;
    }
    const fresh = offset === this.#expected ? bytes : bytes.subarray(this.#expected - offset);
    this.#expected = end;
    this.#gap = false;
    return fresh;
  }

  /** The reader has taken `count` more bytes. */
  consume(count: number): void {
    this.#consumed = Math.min(this.#expected, this.#consumed + count);
    this.#unsaid = true;
    if (this.done) this.#urgent = false;
  }

  /** A probe is answered at once. */
  probed(): void {
    this.#urgent = true;
    this.#unsaid = true;
  }

  get need(): AckNeed {
    if (!this.#unsaid) return undefined;
    if (this.#urgent || this.#expected - this.#ackedAt >= ACK_EVERY || this.#consumed - this.#windowAt >= ACK_EVERY) return "now";
    return "soon";
  }

  /** What is missing before `offset` was seen to be missing. */
  get gap(): boolean {
    return this.#gap;
  }

  /** An acknowledgement was sent. */
  acknowledged(): void {
    this.#told = this.#expected + this.window;
    this.#ackedAt = this.#expected;
    this.#windowAt = this.#consumed;
    this.#urgent = false;
    this.#unsaid = false;
    this.#gap = false;
  }
}
