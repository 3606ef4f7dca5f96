import type { Random } from "../core/instant.ts";
import { FRAME } from "../wire/frame.ts";
import { FairLane } from "./fair-lane.ts";
import { type Parcel, ParcelQueue, ParcelStore } from "./parcels.ts";
import type { SlabPool } from "./slab.ts";

/** Frames that wait for a full port: control before messages before stream chunks, and these fair between streams. */
export class Lanes {
  readonly #random: Random;
  readonly #store: ParcelStore;
  readonly #control = new ParcelQueue();
  readonly #messages = new ParcelQueue();
  #bulk: FairLane | undefined;

  constructor(pool: SlabPool, random: Random) {
    this.#store = new ParcelStore(pool);
    this.#random = random;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#store.bytes;
  }

  /** Bytes of memory that they take. */
  get footprint(): number {
    return this.#store.footprint;
  }

  push(kind: number, bytes: Uint8Array, start: number, end: number): void {
    const parcel = this.#store.put(bytes, start, end);
    if (kind === FRAME.data) (this.#bulk ??= new FairLane(this.#random)).push(parcel);
    else if (kind === FRAME.message) this.#messages.push(parcel);
    else this.#control.push(parcel);
  }

  /** The frame that goes next. */
  peek(): Parcel | undefined {
    return this.#control.head ?? this.#messages.head ?? this.#bulk?.peek();
  }

  /** Removes the frame that goes next, whose bytes have been copied. */
  drop(): void {
    const parcel = this.#control.shift() ?? this.#messages.shift() ?? this.#bulk?.shift();
    if (parcel !== undefined) this.#store.free(parcel);
  }

  clear(): void {
    while (this.peek() !== undefined) this.drop();
  }
}
