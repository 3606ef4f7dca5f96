/** As many that have gone may lie before the first. */
const SLACK = 1_024;

/** First in, first out, at the same cost however many wait: an array's own `shift` moves all that are left. */
export class Fifo<T extends object> {
  #items: (T | undefined)[] = [];
  #first = 0;

  get size(): number {
    return this.#items.length - this.#first;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Undefined: it is empty. */
  shift(): T | undefined {
    const at = this.#first;
    const item = this.#items[at];
    if (item === undefined) return undefined;
    this.#items[at] = undefined;
    this.#first = at + 1;
    if (this.#first === this.#items.length) {
      this.#items.length = 0;
      this.#first = 0;
    } else if (this.#first >= SLACK && this.#first * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }
}
