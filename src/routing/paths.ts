import type { Graph } from "./graph.ts";

const NONE = -1;

/**
 * Dijkstra's shortest paths over indices, on typed arrays with an indexed heap. Among paths of equal cost the one with fewer hops
 * holds, then the one whose first edge comes first. Nodes that carry no transit are ends only.
 */
export class Paths {
  /** By index: cost in thousandths, Infinity where there is no path. */
  distance = new Float64Array(0);
  /** Number of edges. */
  hops = new Int32Array(0);
  /** Which of the root's edges the path begins with. */
  first = new Int32Array(0);
  #heap = new Int32Array(0);
  #place = new Int32Array(0);
  #size = 0;
  #limit = Number.POSITIVE_INFINITY;

  /**
   * From `root` over `edges` (pairs: index, cost) in place of those that the graph has for it, if they are given. Paths that cost
   * more than `limit` are not looked for.
   */
  run(graph: Graph, root: number, edges?: readonly number[], limit = Number.POSITIVE_INFINITY): void {
    this.#limit = limit;
    const { transit } = graph;
    const { pairs, start, count } = graph.edgesOf;
    this.#reset(graph.records.length);
    this.distance[root] = 0;
    const begin = start[root] as number;
    const own = edges ?? pairs.subarray(begin, begin + 2 * (count[root] as number));
    for (let i = 0; i < own.length; i += 2) this.#offer(own[i] as number, own[i + 1] as number, 1, i >> 1);
    while (this.#size > 0) {
      const at = this.#take();
      if (transit[at] === 0) continue;
      const cost = this.distance[at] as number;
      const hops = (this.hops[at] as number) + 1;
      const first = this.first[at] as number;
      const from = start[at] as number;
      const end = from + 2 * (count[at] as number);
      for (let i = from; i < end; i += 2) this.#offer(pairs[i] as number, cost + (pairs[i + 1] as number), hops, first);
    }
  }

  #reset(count: number): void {
    if (this.distance.length < count) {
      const room = Math.max(16, count + (count >> 1));
      this.distance = new Float64Array(room);
      this.hops = new Int32Array(room);
      this.first = new Int32Array(room);
      this.#heap = new Int32Array(room);
      this.#place = new Int32Array(room);
    }
    this.distance.fill(Number.POSITIVE_INFINITY, 0, count);
    this.hops.fill(0, 0, count);
    this.first.fill(NONE, 0, count);
    this.#place.fill(NONE, 0, count);
    this.#size = 0;
  }

  #offer(to: number, cost: number, hops: number, first: number): void {
    const known = this.distance[to] as number;
    if (cost > known || cost > this.#limit) return;
    if (cost === known) {
      // Edges cost more than nothing, so `to` has not left the heap yet and its tie may still be decided.
      if (hops > (this.hops[to] as number) || (hops === this.hops[to] && first >= (this.first[to] as number))) return;
      this.hops[to] = hops;
      this.first[to] = first;
      return;
    }
    this.distance[to] = cost;
    this.hops[to] = hops;
    this.first[to] = first;
    this.#up(this.#place[to] === NONE ? this.#size++ : (this.#place[to] as number), to);
  }

  #up(from: number, item: number): void {
    const heap = this.#heap;
    const distance = this.distance;
    const cost = distance[item] as number;
    let at = from;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as number;
      if ((distance[parent] as number) <= cost) break;
      heap[at] = parent;
      this.#place[parent] = at;
      at = up;
    }
    heap[at] = item;
    this.#place[item] = at;
  }

  #take(): number {
    const heap = this.#heap;
    const distance = this.distance;
    const top = heap[0] as number;
    const last = heap[--this.#size] as number;
    const cost = distance[last] as number;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && (distance[heap[child + 1] as number] as number) < (distance[heap[child] as number] as number)) child++;
      const next = heap[child] as number;
      if ((distance[next] as number) >= cost) break;
      heap[at] = next;
      this.#place[next] = at;
      at = child;
    }
    heap[at] = last;
    this.#place[last] = at;
    return top;
  }
}
