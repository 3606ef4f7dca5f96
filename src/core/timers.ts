import type { Instant } from "./instant.ts";

/** What has a deadline of its own. The fields are for `Timers` alone; at first: undefined and 0. */
export interface Timed {
  /** Undefined: it has none. */
  due: Instant | undefined;
  /** Its place in the heap. */
  place: number;
}

/** One deadline for each of many, the earliest first. What is taken back leaves nothing behind: most are, long before they are due. */
export class Timers<T extends Timed> {
  /** A binary heap: none is before the one at half its place. */
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  set(item: T, at: Instant): void {
    const before = item.due;
    item.due = at;
    if (before === undefined) {
      item.place = this.#heap.length;
      this.#heap.push(item);
      this.#rise(item, at);
    } else if (at < before) this.#rise(item, at);
    else this.#sink(item, at);
  }

  delete(item: T): void {
    const at = item.due;
    if (at === undefined) return;
    item.due = undefined;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    last.place = item.place;
    this.#heap[last.place] = last;
    const due = last.due as Instant;
    if (due < at) this.#rise(last, due);
    else this.#sink(last, due);
  }

  next(): Instant | undefined {
    return this.#heap[0]?.due;
  }

  /** Takes back and returns one whose deadline is not after `now`. */
  take(now: Instant): T | undefined {
    const first = this.#heap[0];
    if (first === undefined || (first.due as Instant) > now) return undefined;
    this.delete(first);
    return first;
  }

  #rise(item: T, at: Instant): void {
    const heap = this.#heap;
    let { place } = item;
    while (place > 0) {
      const up = (place - 1) >> 1;
      const parent = heap[up] as T;
      if ((parent.due as Instant) <= at) break;
      heap[place] = parent;
      parent.place = place;
      place = up;
    }
    heap[place] = item;
    item.place = place;
  }

  #sink(item: T, at: Instant): void {
    const heap = this.#heap;
    let { place } = item;
    for (;;) {
      let down = 2 * place + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && ((heap[down + 1] as T).due as Instant) < ((heap[down] as T).due as Instant)) down++;
      const child = heap[down] as T;
      if ((child.due as Instant) >= at) break;
      heap[place] = child;
      child.place = place;
      place = down;
    }
    heap[place] = item;
    item.place = place;
  }
}
