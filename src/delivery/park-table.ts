import type { MessageId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import type { NodeHash } from "../core/node-hash.ts";
import { FLAG, OFFSET, word } from "../wire/frame.ts";
import { readMessageId } from "../wire/message-id.ts";

/** No slot. */
export const NONE = -1;

/** What is so about a message that waits. */
export const MARK = {
  /** It is not the first copy that its origin has sent. */
  resent: 1,
  /** Its origin has left it to this node. */
  custody: 2,
  /** It waits no more: expired, cancelled, sent on. */
  gone: 4,
  /** It waited before this life of the node. */
  restored: 8,
} as const;

const FIRST = 1_024;
/** Words of one slot: the id in four, the source in two, the size, the next slot of the page. */
const WORDS = 8;
const [SOURCE, SIZE, NEXT] = [4, 6, 7];

/**
 * What is known of each message that waits, in columns of numbers rather than as objects: 57 bytes a message, and nothing for the collector
 * to walk over. Found by id through an index with open addressing.
 */
export class ParkTable<Page> {
  /** Peers choose ids: without a seed they could choose such that meet in the index. */
  readonly #seed: () => number;
  #seeded: number | undefined;
  #words = new Uint32Array(0);
  #expiry = new Float64Array(0);
  #marks = new Uint8Array(0);
  #pages: (Page | undefined)[] = [];
  /** Slot and one, by hash of the id; 0: empty. */
  #index = new Int32Array(0);
  #free = NONE;
  #used = 0;
  #taken = 0;
  #messages = 0;

  constructor(seed: () => number) {
    this.#seed = seed;
  }

  /** Messages that wait. */
  get messages(): number {
    return this.#messages;
  }

  /** A slot for the message whose frame begins at `start`. `waits`: it is not here yet; otherwise it only takes a place in its page. */
  add(page: Page, bytes: Uint8Array, start: number, end: number, waits: boolean): number {
    const slot = this.#take();
    const to = slot * WORDS;
    const words = this.#words;
    for (let i = 0; i < 4; i++) words[to + i] = word(bytes, start + OFFSET.id + 4 * i);
    words[to + SOURCE] = word(bytes, start + OFFSET.source);
    words[to + SOURCE + 1] = word(bytes, start + OFFSET.source + 4);
    words[to + SIZE] = end - start;
    words[to + NEXT] = 0;
    this.#marks[slot] = waits ? (((bytes[start + OFFSET.flags] as number) & FLAG.resent) === 0 ? 0 : MARK.resent) : MARK.gone;
    this.#pages[slot] = page;
    if (!waits) return slot;
    this.#link(slot);
    this.#messages++;
    return slot;
  }

  /** The slot of the message whose id is at `at` in `bytes`. */
  find(bytes: Uint8Array, at: number): number {
    if (this.#messages === 0) return NONE;
    const [a, b, c, d] = [word(bytes, at), word(bytes, at + 4), word(bytes, at + 8), word(bytes, at + 12)];
    const mask = this.#index.length - 1;
    for (let i = this.#hash(a, b, c, d) & mask; ; i = (i + 1) & mask) {
      const slot = (this.#index[i] as number) - 1;
      if (slot === NONE) return NONE;
      const from = slot * WORDS;
      const words = this.#words;
      if (words[from + 3] === d && words[from] === a && words[from + 1] === b && words[from + 2] === c) return slot;
    }
  }

  /** Whether the id at `at` in `bytes` is that of the message in `slot`. */
  is(slot: number, bytes: Uint8Array, at: number): boolean {
    for (let i = 0; i < 4; i++) if (this.#words[slot * WORDS + i] !== word(bytes, at + 4 * i)) return false;
    return true;
  }

  /** The message waits no more; what is known of it stays until its slot is freed. */
  drop(slot: number): void {
    this.#unlink(slot);
    this.mark(slot, MARK.gone, true);
    this.#messages--;
  }

  /** To be called when nobody needs the slot any more. */
  free(slot: number): void {
    this.#pages[slot] = undefined;
    this.#words[slot * WORDS + NEXT] = this.#free + 1;
    this.#free = slot;
    if (--this.#taken === 0) this.#clear();
  }

  page(slot: number): Page | undefined {
    return this.#pages[slot];
  }

  /** The slot behind this one in its page. */
  next(slot: number): number {
    return (this.#words[slot * WORDS + NEXT] as number) - 1;
  }

  chain(slot: number, next: number): void {
    this.#words[slot * WORDS + NEXT] = next + 1;
  }

  /** Bytes of the frame. */
  size(slot: number): number {
    return this.#words[slot * WORDS + SIZE] as number;
  }

  source(slot: number): NodeHash {
    const at = slot * WORDS + SOURCE;
    return { high: this.#words[at] as number, low: this.#words[at + 1] as number };
  }

  expiresAt(slot: number): Instant {
    return this.#expiry[slot] as number;
  }

  setExpiry(slot: number, at: Instant): void {
    this.#expiry[slot] = at;
  }

  has(slot: number, mark: number): boolean {
    return ((this.#marks[slot] as number) & mark) !== 0;
  }

  mark(slot: number, mark: number, on: boolean): void {
    const marks = this.#marks[slot] as number;
    this.#marks[slot] = on ? marks | mark : marks & ~mark;
  }

  id(slot: number): MessageId {
    for (let i = 0; i < 4; i++) ID.setUint32(4 * i, this.#words[slot * WORDS + i] as number);
    return readMessageId(ID_BYTES, 0);
  }

  #take(): number {
    this.#taken++;
    const slot = this.#free;
    if (slot !== NONE) {
      this.#free = this.next(slot);
      return slot;
    }
    if (this.#used === this.#marks.length) this.#grow(Math.max(FIRST, this.#used * 2));
    return this.#used++;
  }

  #grow(slots: number): void {
    this.#words = widened(new Uint32Array(slots * WORDS), this.#words);
    this.#expiry = widened(new Float64Array(slots), this.#expiry);
    this.#marks = widened(new Uint8Array(slots), this.#marks);
    const before = this.#index;
    this.#index = new Int32Array(slots * 2);
    for (const entry of before) if (entry !== 0) this.#link(entry - 1);
  }

  /** A queue that was long once does not keep its memory. */
  #clear(): void {
    if (this.#marks.length === FIRST) return;
    this.#words = new Uint32Array(0);
    this.#expiry = new Float64Array(0);
    this.#marks = new Uint8Array(0);
    this.#index = new Int32Array(0);
    this.#pages = [];
    this.#free = NONE;
    this.#used = 0;
  }

  #link(slot: number): void {
    const mask = this.#index.length - 1;
    let i = this.#home(slot) & mask;
    while (this.#index[i] !== 0) i = (i + 1) & mask;
    this.#index[i] = slot + 1;
  }

  /** Moves up what lies behind, so that a search never passes over a hole. */
  #unlink(slot: number): void {
    const mask = this.#index.length - 1;
    let hole = this.#home(slot) & mask;
    while (this.#index[hole] !== slot + 1) hole = (hole + 1) & mask;
    for (let i = (hole + 1) & mask; this.#index[i] !== 0; i = (i + 1) & mask) {
      const home = this.#home((this.#index[i] as number) - 1) & mask;
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      this.#index[hole] = this.#index[i] as number;
      hole = i;
    }
    this.#index[hole] = 0;
  }

  #home(slot: number): number {
    const at = slot * WORDS;
    const words = this.#words;
    return this.#hash(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number);
  }

  #hash(a: number, b: number, c: number, d: number): number {
    this.#seeded ??= this.#seed();
    return mixed(mixed(mixed(mixed(this.#seeded ^ a) ^ b) ^ c) ^ d);
  }
}

const ID_BYTES = new Uint8Array(16);
const ID = new DataView(ID_BYTES.buffer);

function widened<Column extends Uint32Array | Float64Array | Uint8Array>(column: Column, before: Column): Column {
  column.set(before);
  return column;
}

/** Each bit of the result depends on each of `value` (the last steps of MurmurHash3). */
function mixed(value: number): number {
  let mix = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return mix ^ (mix >>> 16);
}
