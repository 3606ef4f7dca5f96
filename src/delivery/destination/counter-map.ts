/** Counters whose places lie in one row. */
const ROW = 16;
const NONE = -1;

interface Row {
  readonly block: number;
  readonly places: number[];
  used: number;
}

/**
 * A place for each of many counters that come, and go, nearly one after the other: so most of what is asked for is in the row that was used
 * last. A `Map` of a hundred thousand of them costs a look into cold memory each time, and is copied whole again and again as they come and go.
 */
export class CounterMap {
  readonly #rows = new Map<number, Row>();
  #recent: Row | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(counter: number): number | undefined {
    const place = this.#row(counter)?.places[counter % ROW];
    return place === NONE ? undefined : place;
  }

  /** `place`: 0 or more. */
  set(counter: number, place: number): void {
    const row = this.#row(counter) ?? this.#add(Math.floor(counter / ROW));
    if (row.places[counter % ROW] === NONE) {
      row.used++;
      this.#size++;
    }
    row.places[counter % ROW] = place;
  }

  delete(counter: number): void {
    const row = this.#row(counter);
    if (row === undefined || row.places[counter % ROW] === NONE) return;
    row.places[counter % ROW] = NONE;
    this.#size--;
    if (--row.used > 0) return;
    this.#rows.delete(row.block);
    if (this.#recent === row) this.#recent = undefined;
  }

  #row(counter: number): Row | undefined {
    const block = Math.floor(counter / ROW);
    if (this.#recent?.block === block) return this.#recent;
    const row = this.#rows.get(block);
    if (row !== undefined) this.#recent = row;
    return row;
  }

  #add(block: number): Row {
    const row = { block, places: new Array<number>(ROW).fill(NONE), used: 0 };
    this.#rows.set(block, row);
    this.#recent = row;
    return row;
  }
}
