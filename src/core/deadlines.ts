import { Heap } from "./heap.ts";
import type { Instant } from "./instant.ts";

interface Entry<K> {
  readonly key: K;
  readonly at: Instant;
}

/** One deadline per key, the earliest first. Moving or removing a deadline is O(1); stale heap entries are skipped. */
export class Deadlines<K> {
  readonly #current = new Map<K, Entry<K>>();
  #heap = new Heap<Entry<K>>((a, b) => a.at < b.at);

  get size(): number {
    return this.#current.size;
  }

  set(key: K, at: Instant): void {
    const entry = { key, at };
    this.#current.set(key, entry);
    this.#heap.push(entry);
    if (this.#heap.size > 64 && this.#heap.size > 4 * this.#current.size) this.#rebuild();
  }

  get(key: K): Instant | undefined {
    return this.#current.get(key)?.at;
  }

  delete(key: K): void {
    this.#current.delete(key);
  }

  next(): Instant | undefined {
    for (;;) {
      const top = this.#heap.peek();
      if (top === undefined) return undefined;
      if (this.#current.get(top.key) === top) return top.at;
      this.#heap.pop();
    }
  }

  /** Removes and returns one key whose deadline is not after `now`. */
  take(now: Instant): K | undefined {
    const at = this.next();
    if (at === undefined || at > now) return undefined;
    const entry = this.#heap.pop();
    if (entry === undefined) return undefined;
    this.#current.delete(entry.key);
    return entry.key;
  }

  #rebuild(): void {
    this.#heap = new Heap<Entry<K>>((a, b) => a.at < b.at);
    for (const entry of this.#current.values()) this.#heap.push(entry);
  }
}
