import type { MessageId } from "../../core/ids.ts";
import type { Millis } from "../../core/instant.ts";
import type { NodeHash } from "../../core/node-hash.ts";
import { FLAG, OFFSET, word } from "../../wire/frame.ts";
import { readMessageId } from "../../wire/message-id.ts";
import { Numbered } from "./numbered.ts";

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

/**
 * Slots of one piece of memory, 160 KiB, which is large enough to be taken from the system for itself. All in one piece would have to be moved to a larger one
 * again and again, and glibc keeps up to twice the size of the largest that was freed so.
 */
const PIECE = 4_096;
const SHIFT = 12;
/** Places of the index at first. */
const FIRST = 2_048;
/** Words of one slot: the id in four, the source in two, marks and size in one, the time to live, the next slot of the page, the number of the page. */
const WORDS = 10;
const [SOURCE, SIZE, TTL, NEXT, PAGE] = [4, 6, 7, 8, 9];
/** A frame is smaller; the marks stand above. */
const SIZE_BITS = 24;
const SIZE_MASK = 2 ** SIZE_BITS - 1;

/**
 * What is known of each message that waits, as rows of numbers rather than as objects: 48 bytes a message, and nothing for the collector
 * to walk over. Found by id through an index with open addressing.
 */
export class ParkTable<Page> {
  /** Peers choose ids: without a seed they could choose such that meet in the index. */
  readonly #seed: () => number;
  #seeded: number | undefined;
  #pieces: Uint32Array[] = [];
  readonly #pages = new Numbered<Page>();
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

  /** Gives the page a number, by which its slots know it. */
  enlist(page: Page): number {
    return this.#pages.add(page);
  }

  /** To be called once its slots are free. */
  delist(page: number): void {
    this.#pages.remove(page);
  }

  /** Pages that have a number. */
  get pages(): number {
    return this.#pages.size;
  }

  /** A slot in the page of that number, for the message whose frame begins at `start`. `waits`: it is not here yet; otherwise it only takes a place in its page. */
  add(page: number, bytes: Uint8Array, start: number, end: number, waits: boolean): number {
    const slot = this.#take();
    const words = this.#piece(slot);
    const to = at(slot);
    const marks = waits ? (((bytes[start + OFFSET.flags] as number) & FLAG.resent) === 0 ? 0 : MARK.resent) : MARK.gone;
    for (let i = 0; i < 4; i++) words[to + i] = word(bytes, start + OFFSET.id + 4 * i);
    words[to + SOURCE] = word(bytes, start + OFFSET.source);
    words[to + SOURCE + 1] = word(bytes, start + OFFSET.source + 4);
    words[to + SIZE] = (marks << SIZE_BITS) | (end - start);
    words[to + TTL] = word(bytes, start + OFFSET.ttl);
    words[to + NEXT] = 0;
    words[to + PAGE] = page + 1;
    if (!waits) return slot;
    this.#link(slot);
    this.#messages++;
    return slot;
  }

  /** The slot of the message whose id is at `place` in `bytes`. */
  find(bytes: Uint8Array, place: number): number {
    if (this.#messages === 0) return NONE;
    const [a, b, c, d] = [word(bytes, place), word(bytes, place + 4), word(bytes, place + 8), word(bytes, place + 12)];
    const mask = this.#index.length - 1;
    for (let i = this.#hash(a, b, c, d) & mask; ; i = (i + 1) & mask) {
      const slot = (this.#index[i] as number) - 1;
      if (slot === NONE) return NONE;
      const from = at(slot);
      const words = this.#piece(slot);
      if (words[from + 3] === d && words[from] === a && words[from + 1] === b && words[from + 2] === c) return slot;
    }
  }

  /** Whether the id at `place` in `bytes` is that of the message in `slot`. */
  is(slot: number, bytes: Uint8Array, place: number): boolean {
    for (let i = 0; i < 4; i++) if (this.#read(slot, i) !== word(bytes, place + 4 * i)) return false;
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
    this.#write(slot, PAGE, 0);
    this.#write(slot, NEXT, this.#free + 1);
    this.#free = slot;
    if (--this.#taken === 0) this.#clear();
  }

  page(slot: number): Page | undefined {
    return slot === NONE || slot >= this.#used ? undefined : this.#pages.get(this.#read(slot, PAGE) - 1);
  }

  /** The slot behind this one in its page. */
  next(slot: number): number {
    return this.#read(slot, NEXT) - 1;
  }

  chain(slot: number, next: number): void {
    this.#write(slot, NEXT, next + 1);
  }

  /** Bytes of the frame. */
  size(slot: number): number {
    return this.#read(slot, SIZE) & SIZE_MASK;
  }

  source(slot: number): NodeHash {
    return { high: this.#read(slot, SOURCE), low: this.#read(slot, SOURCE + 1) };
  }

  /** What was left of its time to live when its page was begun. */
  ttl(slot: number): Millis {
    return this.#read(slot, TTL);
  }

  has(slot: number, mark: number): boolean {
    return ((this.#read(slot, SIZE) >>> SIZE_BITS) & mark) !== 0;
  }

  mark(slot: number, mark: number, on: boolean): void {
    const before = this.#read(slot, SIZE);
    this.#write(slot, SIZE, on ? before | (mark << SIZE_BITS) : before & ~(mark << SIZE_BITS));
  }

  id(slot: number): MessageId {
    for (let i = 0; i < 4; i++) ID.setUint32(4 * i, this.#read(slot, i));
    return readMessageId(ID_BYTES, 0);
  }

  #take(): number {
    this.#taken++;
    const slot = this.#free;
    if (slot !== NONE) {
      this.#free = this.next(slot);
      return slot;
    }
    if (this.#used === this.#pieces.length * PIECE) this.#pieces.push(new Uint32Array(PIECE * WORDS));
    if (this.#used * 2 >= this.#index.length) this.#grow(Math.max(FIRST, this.#index.length * 2));
    return this.#used++;
  }

  #grow(places: number): void {
    const before = this.#index;
    this.#index = new Int32Array(places);
    for (const entry of before) if (entry !== 0) this.#link(entry - 1);
  }

  /** A queue that was long once does not keep its memory. */
  #clear(): void {
    if (this.#used <= PIECE) return;
    this.#pieces = [];
    this.#index = new Int32Array(0);
    this.#free = NONE;
    this.#used = 0;
  }

  #piece(slot: number): Uint32Array {
    return this.#pieces[slot >>> SHIFT] as Uint32Array;
  }

  #read(slot: number, word: number): number {
    return this.#piece(slot)[at(slot) + word] as number;
  }

  #write(slot: number, word: number, value: number): void {
    this.#piece(slot)[at(slot) + word] = value;
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
    const from = at(slot);
    const words = this.#piece(slot);
    return this.#hash(words[from] as number, words[from + 1] as number, words[from + 2] as number, words[from + 3] as number);
  }

  #hash(a: number, b: number, c: number, d: number): number {
    this.#seeded ??= this.#seed();
    return mixed(mixed(mixed(mixed(this.#seeded ^ a) ^ b) ^ c) ^ d);
  }
}

const ID_BYTES = new Uint8Array(16);
const ID = new DataView(ID_BYTES.buffer);

/** Where a slot begins in its piece. */
function at(slot: number): number {
  return (slot & (PIECE - 1)) * WORDS;
}

/** Each bit of the result depends on each of `value` (the last steps of MurmurHash3). */
function mixed(value: number): number {
  let mix = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return mix ^ (mix >>> 16);
}
