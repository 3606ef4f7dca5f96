import type { Random } from "../core/instant.ts";
import { FLAG, OFFSET, word } from "../wire/frame.ts";
import { type Parcel, ParcelQueue } from "./parcels.ts";

/** What one stream may send before the next one has its turn. */
const QUANTUM = 16_384;
const BUCKETS = 512;
/** Streams told apart on one link; beyond that some share a turn. */
const MAX_FLOWS = 4_096;

interface Flow {
  readonly queue: ParcelQueue;
  high: number;
  low: number;
  upward: number;
  deficit: number;
  /** The next one in the round. */
  next: Flow | undefined;
  /** The next one in the bucket. */
  sibling: Flow | undefined;
}

/**
 * Stream chunks, fair between streams by bytes: deficit round robin (M. Shreedhar, G. Varghese, 1995). A stream is one direction of
 * one message id. Order within a stream is kept.
 */
export class FairLane {
  readonly #buckets: (Flow | undefined)[] = new Array<Flow | undefined>(BUCKETS).fill(undefined);
  readonly #seed: number;
  #first: Flow | undefined;
  #last: Flow | undefined;
  #unused: Flow | undefined;
  #flows = 0;

  /** Randomness, so that no peer can choose ids that all meet in one bucket. */
  constructor(random: Random) {
    this.#seed = Math.floor(random() * 0x1_0000_0000);
  }

  /** `parcel` is a routed frame. */
  push(parcel: Parcel): void {
    const { slab, start } = parcel;
    const id = start + OFFSET.id;
    const flow = this.#flow(
      word(slab.bytes, id + 8),
      word(slab.bytes, id + 12),
      (slab.bytes[start + OFFSET.flags] as number) & FLAG.upward,
    );
    flow.queue.push(parcel);
  }

  /** The frame whose turn it is. It stays the same until `shift`. */
  peek(): Parcel | undefined {
    for (;;) {
      const flow = this.#first;
      const parcel = flow?.queue.head;
      if (flow === undefined || parcel === undefined) return undefined;
      if (parcel.length <= flow.deficit) return parcel;
      flow.deficit += QUANTUM;
      if (flow !== this.#last) {
        this.#first = flow.next;
        this.#append(flow);
      }
    }
  }

  shift(): Parcel | undefined {
    if (this.peek() === undefined) return undefined;
    const flow = this.#first as Flow;
    const parcel = flow.queue.shift() as Parcel;
    flow.deficit -= parcel.length;
    if (flow.queue.head === undefined) this.#remove(flow);
    return parcel;
  }

  #flow(high: number, low: number, upward: number): Flow {
    const bucket = this.#bucket(high, low, upward);
    const head = this.#buckets[bucket];
    for (let flow = head; flow !== undefined; flow = flow.sibling) {
      if (flow.low === low && flow.high === high && flow.upward === upward) return flow;
    }
    if (head !== undefined && this.#flows >= MAX_FLOWS) return head;
    const flow = this.#fresh(high, low, upward);
    flow.sibling = head;
    this.#buckets[bucket] = flow;
    this.#flows++;
    this.#append(flow);
    return flow;
  }

  #fresh(high: number, low: number, upward: number): Flow {
    const flow = this.#unused;
    if (flow === undefined) return { queue: new ParcelQueue(), high, low, upward, deficit: 0, next: undefined, sibling: undefined };
    this.#unused = flow.next;
    flow.high = high;
    flow.low = low;
    flow.upward = upward;
    flow.deficit = 0;
    flow.next = undefined;
    return flow;
  }

  #append(flow: Flow): void {
    flow.next = undefined;
    if (this.#last === undefined || this.#first === undefined) this.#first = flow;
    else this.#last.next = flow;
    this.#last = flow;
  }

  /** Takes the first flow of the round out of everything. */
  #remove(flow: Flow): void {
    this.#first = flow.next;
    if (this.#first === undefined) this.#last = undefined;
    const bucket = this.#bucket(flow.high, flow.low, flow.upward);
    if (this.#buckets[bucket] === flow) this.#buckets[bucket] = flow.sibling;
    else {
      let before = this.#buckets[bucket];
      while (before !== undefined && before.sibling !== flow) before = before.sibling;
      if (before !== undefined) before.sibling = flow.sibling;
    }
    flow.sibling = undefined;
    flow.next = this.#unused;
    this.#unused = flow;
    this.#flows--;
  }

  #bucket(high: number, low: number, upward: number): number {
    let mixed = Math.imul(low ^ this.#seed, 0x9e3779b1) ^ high ^ upward;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    return (mixed ^ (mixed >>> 13)) & (BUCKETS - 1);
  }
}
