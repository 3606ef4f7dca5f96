import { ChurnMap } from "./churn-map.ts";
import type { Instant } from "./instant.ts";
import { type Timed, Timers } from "./timers.ts";

interface Entry<K> extends Timed {
  readonly key: K;
}

/** `Timers` for what cannot hold a deadline itself: one for each key. */
export class Deadlines<K> {
  readonly #entries = new ChurnMap<K, Entry<K>>();
  readonly #timers = new Timers<Entry<K>>();

  get size(): number {
    return this.#timers.size;
  }

  set(key: K, at: Instant): void {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { key, due: undefined, place: 0 };
      this.#entries.set(key, entry);
    }
    this.#timers.set(entry, at);
  }

  get(key: K): Instant | undefined {
    return this.#entries.get(key)?.due;
  }

  delete(key: K): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#timers.delete(entry);
  }

  next(): Instant | undefined {
    return this.#timers.next();
  }

  /** Removes and returns one key whose deadline is not after `now`. */
  take(now: Instant): K | undefined {
    const entry = this.#timers.take(now);
    if (entry === undefined) return undefined;
    this.#entries.delete(entry.key);
    return entry.key;
  }
}
