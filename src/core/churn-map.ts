/** After so many entries, and four times as many as there are, the map is made anew. */
const EVERY = 1_024;
/** To copy more would take longer than a tick may. */
const MOST = 4_096;

/**
 * A `Map` for what comes and goes by the thousand. V8 gives a map new tables as entries come and go, and lets each old table lead to the next:
 * once one of them is old to the collector, all that is ever put into the map lives on until the whole heap is collected. So the entries move to
 * another map now and then, and leave an empty one behind.
 */
export class ChurnMap<K, V> {
  #map = new Map<K, V>();
  #added = 0;
  /** What was asked for last is often asked for next. Undefined as a value: nothing is remembered. */
  #lastKey: K | undefined;
  #last: V | undefined;

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    if (key === this.#lastKey && this.#last !== undefined) return this.#last;
    const value = this.#map.get(key);
    this.#lastKey = key;
    this.#last = value;
    return value;
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  set(key: K, value: V): void {
    if (++this.#added >= EVERY && this.#added >= 4 * this.#map.size) this.#renew();
    this.#map.set(key, value);
    this.#lastKey = key;
    this.#last = value;
  }

  delete(key: K): boolean {
    if (key === this.#lastKey) this.#last = undefined;
    return this.#map.delete(key);
  }

  clear(): void {
    this.#map = new Map();
    this.#added = 0;
    this.#last = undefined;
  }

  /** As they are now, in the order in which they came. */
  values(): V[] {
    return [...this.#map.values()];
  }

  #renew(): void {
    this.#added = 0;
    const former = this.#map;
    if (former.size > MOST) return;
    this.#map = new Map(former);
    for (const key of this.#map.keys()) former.delete(key);
  }
}
