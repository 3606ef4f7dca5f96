/** Edges that one node may have before its room is doubled. */
const FIRST_ROOM = 4;

/**
 * The edges of all nodes in one piece of memory: a computation of paths walks it without touching the records. Each node has a
 * run of pairs (index of the other end, cost in thousandths).
 */
export class Adjacency {
  /** Pairs; those of node `i` begin at `start[i]` and are `2 * count[i]` numbers. */
  pairs = new Int32Array(0);
  start = new Int32Array(0);
  count = new Int32Array(0);
  /** Pairs that fit before the run must move. */
  #room = new Int32Array(0);
  #end = 0;

  /** Makes place for the nodes below `nodes`. */
  grow(nodes: number): void {
    if (this.count.length >= nodes) return;
    const size = Math.max(16, nodes + (nodes >> 1));
    this.start = enlarged(this.start, size);
    this.count = enlarged(this.count, size);
    this.#room = enlarged(this.#room, size);
  }

  add(from: number, to: number, cost: number): void {
    const count = this.count[from] as number;
    if (count === this.#room[from]) this.#move(from, Math.max(FIRST_ROOM, 2 * count));
    const at = (this.start[from] as number) + 2 * count;
    this.pairs[at] = to;
    this.pairs[at + 1] = cost;
    this.count[from] = count + 1;
  }

  /** Keeps the order of the others. */
  remove(from: number, to: number): void {
    const start = this.start[from] as number;
    const end = start + 2 * (this.count[from] as number);
    for (let at = start; at < end; at += 2) {
      if (this.pairs[at] !== to) continue;
      this.pairs.copyWithin(at, at + 2, end);
      this.count[from] = (this.count[from] as number) - 1;
      return;
    }
  }

  clear(from: number): void {
    this.count[from] = 0;
  }

  #move(from: number, room: number): void {
    if (this.#end + 2 * room > this.pairs.length) this.#compact(2 * room);
    const start = this.start[from] as number;
    this.pairs.copyWithin(this.#end, start, start + 2 * (this.count[from] as number));
    this.start[from] = this.#end;
    this.#room[from] = room;
    this.#end += 2 * room;
  }

  /** Moves all runs together, into a larger piece where most of this one is in use. */
  #compact(wanted: number): void {
    let used = wanted;
    for (const room of this.#room) used += 2 * room;
    const pairs = new Int32Array(Math.max(64, used + (used >> 1)));
    let end = 0;
    for (let node = 0; node < this.count.length; node++) {
      const start = this.start[node] as number;
      pairs.set(this.pairs.subarray(start, start + 2 * (this.count[node] as number)), end);
      this.start[node] = end;
      end += 2 * (this.#room[node] as number);
    }
    this.pairs = pairs;
    this.#end = end;
  }
}

function enlarged(old: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const array = new Int32Array(size);
  array.set(old);
  return array;
}
