interface Pair<V> {
  readonly key: string;
  readonly value: V;
}

/** A map with its keys in order. A lookup is one hash; an insertion or removal moves what lies behind it; a range costs what it returns. */
export class SortedMap<V> {
  readonly #values: Map<string, V>;
  readonly #keys: string[];

  constructor(values: ReadonlyMap<string, V> = new Map(), keys: readonly string[] = [...values.keys()].toSorted()) {
    this.#values = new Map(values);
    this.#keys = [...keys];
  }

  get size(): number {
    return this.#keys.length;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key)) this.#keys.splice(this.#firstFrom(key), 0, key);
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#keys.splice(this.#firstFrom(key), 1);
  }

  /** The pairs from `from` on, before `to`. */
  range(from: string, to: string): Pair<V>[] {
    const found: Pair<V>[] = [];
    for (let at = this.#firstFrom(from); at < this.#keys.length; at++) {
      const key = this.#keys[at];
      if (key === undefined || key >= to) break;
      const value = this.#values.get(key);
      if (value !== undefined) found.push({ key, value });
    }
    return found;
  }

  clone(): SortedMap<V> {
    return new SortedMap(this.#values, this.#keys);
  }

  /** Index of the first key that is not before `key`. */
  #firstFrom(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
