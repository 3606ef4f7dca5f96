import { ChurnMap } from "./churn-map.ts";
import type { Instant } from "./instant.ts";

interface Entry<K> {
  readonly key: K;
  at: Instant;
  /** Its place in the heap. */
  place: number;
}

/** One deadline per key, the earliest first. A deadline that is taken back leaves nothing behind: most are, long before they are due. */
export class Deadlines<K> {
  readonly #entries = new ChurnMap<K, Entry<K>>();
  /** A binary heap: none is before the one at half its place. */
  readonly #heap: Entry<K>[] = [];

  get size(): number {
    return this.#heap.length;
  }

  set(key: K, at: Instant): void {
    const known = this.#entries.get(key);
    if (known === undefined) {
      const entry = { key, at, place: this.#heap.length };
      this.#entries.set(key, entry);
      this.#heap.push(entry);
      this.#rise(entry);
      return;
    }
    const sooner = at < known.at;
    known.at = at;
    if (sooner) this.#rise(known);
    else this.#sink(known);
  }

  get(key: K): Instant | undefined {
    return this.#entries.get(key)?.at;
  }

  delete(key: K): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#remove(entry);
  }

  next(): Instant | undefined {
    return this.#heap[0]?.at;
  }

  /** Removes and returns one key whose deadline is not after `now`. */
  take(now: Instant): K | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#remove(first);
    return first.key;
  }

  #remove(entry: Entry<K>): void {
    this.#entries.delete(entry.key);
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    last.place = entry.place;
    this.#heap[last.place] = last;
    if (last.at < entry.at) this.#rise(last);
    else this.#sink(last);
  }

  #rise(entry: Entry<K>): void {
    const heap = this.#heap;
    let { place } = entry;
    while (place > 0) {
      const up = (place - 1) >> 1;
      const parent = heap[up] as Entry<K>;
      if (parent.at <= entry.at) break;
      heap[place] = parent;
      parent.place = place;
      place = up;
    }
    heap[place] = entry;
    entry.place = place;
  }

  #sink(entry: Entry<K>): void {
    const heap = this.#heap;
    let { place } = entry;
    for (;;) {
      let down = 2 * place + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && (heap[down + 1] as Entry<K>).at < (heap[down] as Entry<K>).at) down++;
      const child = heap[down] as Entry<K>;
      if (child.at >= entry.at) break;
      heap[place] = child;
      child.place = place;
      place = down;
    }
    heap[place] = entry;
    entry.place = place;
  }
}
