import { LIMITS } from "../core/limits.ts";
import { SharedFrame } from "./shared-frame.ts";

/** Bytes of one pooled slab, which is what one write carries at most: four chunks of a stream with their headers. */
export const SLAB_BYTES = 4 * LIMITS.chunk + 1_024;
/** Bytes of a small one: for the few link frames that a tick has for each of many links. */
export const SMALL_BYTES = 1_024;
const KEEP_SMALL = 256;

/** A buffer with a count of those who still need it; the last to let go gives it back to its pool. */
export class Slab {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #pool: SlabPool;
  #users = 1;

  /** The maker is its first user. */
  constructor(size: number, pool: SlabPool) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    this.#pool = pool;
  }

  get users(): number {
    return this.#users;
  }

  hold(): void {
    this.#users++;
  }

  release(): void {
    if (--this.#users === 0) this.#pool.give(this);
  }
}

/** Slabs that the links of one node share: taken lazily, so that a thousand idle links hold none. */
export class SlabPool {
  /** For what goes out over many of them. */
  readonly shared = new SharedFrame();
  readonly #free: Slab[] = [];
  readonly #small: Slab[] = [];
  readonly #keep: number;
  readonly #size: number;
  #out = 0;

  /** `keep`: how many unused slabs stay for later; default 32, which is 4 MiB. `size`: bytes of each; default 129 KiB. */
  constructor(keep = 32, size: number = SLAB_BYTES) {
    this.#keep = keep;
    this.#size = size;
  }

  /** Slabs in use. */
  get out(): number {
    return this.#out;
  }

  /** A slab with one user. For more than fits: a buffer of its own, that is not kept afterwards. */
  take(length = 0): Slab {
    this.#out++;
    if (length > this.#size) return new Slab(length, this);
    const slab = this.#free.pop();
    if (slab === undefined) return new Slab(this.#size, this);
    slab.hold();
    return slab;
  }

  /** One of SMALL_BYTES. */
  takeSmall(): Slab {
    this.#out++;
    const slab = this.#small.pop();
    if (slab === undefined) return new Slab(SMALL_BYTES, this);
    slab.hold();
    return slab;
  }

  /** For slabs, when their last user let go. */
  give(slab: Slab): void {
    this.#out--;
    if (slab.bytes.length === SMALL_BYTES && this.#small.length < KEEP_SMALL) return void this.#small.push(slab);
    if (slab.bytes.length === this.#size && this.#free.length < this.#keep) this.#free.push(slab);
  }
}
