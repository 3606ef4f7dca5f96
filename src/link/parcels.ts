import type { Slab, SlabPool } from "./slab.ts";

/** One waiting frame. Parcels are used again, so a link that waits a lot allocates little. */
export interface Parcel {
  slab: Slab;
  start: number;
  length: number;
  next: Parcel | undefined;
}

/** First in, first out. */
export class ParcelQueue {
  #head: Parcel | undefined;
  #tail: Parcel | undefined;

  get head(): Parcel | undefined {
    return this.#head;
  }

  push(parcel: Parcel): void {
    parcel.next = undefined;
    if (this.#tail === undefined) this.#head = parcel;
    else this.#tail.next = parcel;
    this.#tail = parcel;
  }

  shift(): Parcel | undefined {
    const parcel = this.#head;
    if (parcel === undefined) return undefined;
    this.#head = parcel.next;
    if (this.#head === undefined) this.#tail = undefined;
    parcel.next = undefined;
    return parcel;
  }
}

/** Keeps the bytes of waiting frames, packed into slabs; a slab goes back when its last frame left. */
export class ParcelStore {
  readonly #pool: SlabPool;
  #slab: Slab | undefined;
  #at = 0;
  #bytes = 0;
  #count = 0;
  #footprint = 0;
  #unused: Parcel | undefined;

  constructor(pool: SlabPool) {
    this.#pool = pool;
  }

  /** Bytes of the frames. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the slabs that hold them: more, where a few old frames keep many slabs. */
  get footprint(): number {
    return this.#footprint;
  }

  /** Copies `bytes[start, end)`. */
  put(bytes: Uint8Array, start: number, end: number): Parcel {
    const length = end - start;
    const slab = this.#room(length);
    slab.bytes.set(bytes.subarray(start, end), this.#at);
    slab.hold();
    const parcel = this.#parcel(slab, this.#at, length);
    this.#at += length;
    this.#bytes += length;
    this.#count++;
    return parcel;
  }

  /** The parcel is not to be used after this. */
  free(parcel: Parcel): void {
    this.#bytes -= parcel.length;
    this.#letGo(parcel.slab);
    parcel.next = this.#unused;
    this.#unused = parcel;
    if (--this.#count === 0) this.#retire();
  }

  #room(length: number): Slab {
    if (this.#slab !== undefined && this.#at + length <= this.#slab.bytes.length) return this.#slab;
    this.#retire();
    this.#slab = this.#pool.take(length);
    this.#footprint += this.#slab.bytes.length;
    this.#at = 0;
    return this.#slab;
  }

  #retire(): void {
    if (this.#slab !== undefined) this.#letGo(this.#slab);
    this.#slab = undefined;
  }

  #letGo(slab: Slab): void {
    if (slab.users === 1) this.#footprint -= slab.bytes.length;
    slab.release();
  }

  #parcel(slab: Slab, start: number, length: number): Parcel {
    const parcel = this.#unused;
    if (parcel === undefined) return { slab, start, length, next: undefined };
    this.#unused = parcel.next;
    parcel.slab = slab;
    parcel.start = start;
    parcel.length = length;
    parcel.next = undefined;
    return parcel;
  }
}
