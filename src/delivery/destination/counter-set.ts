/** Counters whose bits lie in one word. */
const WORD = 32;
const NONE = -1;

/**
 * Counters that come nearly one after the other, and go from below: a bit for each. The word that was used last is at hand, and in the map when
 * another takes its place. Where they come far apart, each costs as much as in a `Set`.
 */
export class CounterSet {
  readonly #words = new Map<number, number>();
  /** Which word is at hand; its bits are in the map only as they were when it was taken from there. */
  #index = NONE;
  #bits = 0;

  has(counter: number): boolean {
    const index = Math.floor(counter / WORD);
    const bits = index === this.#index ? this.#bits : (this.#words.get(index) ?? 0);
    return (bits & (1 << (counter % WORD))) !== 0;
  }

  add(counter: number): void {
    const index = Math.floor(counter / WORD);
    if (index !== this.#index) {
      if (this.#index !== NONE) this.#words.set(this.#index, this.#bits);
      this.#index = index;
      this.#bits = this.#words.get(index) ?? 0;
    }
    this.#bits |= 1 << (counter % WORD);
  }

  /** Those from `first` to below `end` are asked for no more; nor is what comes before them, which has been forgotten. */
  forget(first: number, end: number): void {
    const [from, to] = [Math.floor(first / WORD), Math.floor(end / WORD)];
    if (from === to) return;
    if (this.#index < to) this.#index = NONE;
    if (to - from <= this.#words.size) for (let index = from; index < to; index++) this.#words.delete(index);
    else for (const index of this.#words.keys()) if (index < to) this.#words.delete(index);
  }
}
