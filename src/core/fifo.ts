/** Places that an empty one keeps; a power of two. */
const KEPT = 1_024;

/** First in, first out, at the same cost however many wait: an array's own `shift` moves all that are left. */
export class Fifo<T extends object> {
  /** A ring: an array that is emptied and filled again grows again each time. */
  #ring: (T | undefined)[] = few();
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#first + this.#size++) & (this.#ring.length - 1)] = item;
  }

  /** Undefined: it is empty. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const ring = this.#ring;
    const at = this.#first;
    const item = ring[at];
    ring[at] = undefined;
    this.#first = (at + 1) & (ring.length - 1);
    if (--this.#size === 0 && ring.length > KEPT) {
      this.#ring = few();
      this.#first = 0;
    }
    return item;
  }

  #grow(): void {
    const ring = this.#ring;
    const wider = places<T>(2 * ring.length);
    for (let i = 0; i < ring.length; i++) wider[i] = ring[(this.#first + i) & (ring.length - 1)];
    this.#ring = wider;
    this.#first = 0;
  }
}

function places<T>(count: number): (T | undefined)[] {
  return new Array<T | undefined>(count).fill(undefined);
}

/** Places at first: few, as most works have one response, and written out, which makes them at once. */
function few(): undefined[] {
  return [undefined, undefined, undefined, undefined];
}
