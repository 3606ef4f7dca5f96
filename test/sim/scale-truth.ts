/** The mesh as it really is: who is linked to whom, and at what cost. */
export class Truth {
  readonly names: readonly string[];
  readonly #edges: ReadonlyMap<number, number>[];
  /** What the ways from each node cost, as far as it was asked for. */
  readonly #ways = new Map<number, Float64Array>();

  constructor(names: readonly string[]) {
    this.names = names;
    this.#edges = names.map(() => new Map<number, number>());
  }

  link(a: number, b: number, cost: number): void {
    this.#ways.clear();
    (this.#edges[a] as Map<number, number>).set(b, cost);
    (this.#edges[b] as Map<number, number>).set(a, cost);
  }

  has(a: number, b: number): boolean {
    return this.#edges[a]?.has(b) === true;
  }

  /** The same with only the links that `keeps` says. */
  without(keeps: (a: number, b: number) => boolean): Truth {
    const rest = new Truth(this.names);
    for (const [a, b, cost] of this.links()) if (keeps(a, b)) rest.link(a, b, cost);
    return rest;
  }

  /** Each link once. */
  *links(): Generator<readonly [number, number, number]> {
    for (const [a, edges] of this.#edges.entries()) for (const [b, cost] of edges) if (a < b) yield [a, b, cost];
  }

  /** What the ways from one node cost, by rounds of relaxing (Bellman and Ford): unlike what is tested, and plainly right. */
  from(root: number): Float64Array {
    let ways = this.#ways.get(root);
    if (ways === undefined) this.#ways.set(root, (ways = this.#relaxed(root)));
    return ways;
  }

  #relaxed(root: number): Float64Array {
    const cost = new Float64Array(this.names.length).fill(Number.POSITIVE_INFINITY);
    cost[root] = 0;
    let open = new Set([root]);
    while (open.size > 0) {
      const next = new Set<number>();
      for (const a of open) {
        for (const [b, length] of this.#edges[a] ?? []) {
          if ((cost[a] as number) + length >= (cost[b] as number)) continue;
          cost[b] = (cost[a] as number) + length;
          next.add(b);
        }
      }
      open = next;
    }
    return cost;
  }
}
