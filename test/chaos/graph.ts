import type { Random } from "../../src/core/instant.ts";

/** `from` dials `to`. */
export interface Edge {
  readonly from: number;
  readonly to: number;
}

/**
 * A connected graph of the nodes 0 to `nodes` - 1 without double edges: a random tree, and `more` edges. Node 0 only dials, and has at least
 * three edges where there are nodes enough.
 */
export function randomGraph(random: Random, nodes: number, more: number): readonly Edge[] {
  const below = (limit: number): number => Math.floor(random() * limit);
  const edges: Edge[] = [];
  const seen = new Set<string>();
  const add = (one: number, other: number): void => {
    const key = `${Math.min(one, other)} ${Math.max(one, other)}`;
    if (one === other || seen.has(key)) return;
    seen.add(key);
    const dials = Math.min(one, other) === 0 ? 0 : random() < 0.5 ? one : other;
    edges.push({ from: dials, to: dials === one ? other : one });
  };
  for (let node = 1; node < nodes; node++) add(node, below(node));
  const most = (nodes * (nodes - 1)) / 2;
  const ofFirst = (): number => edges.filter(({ from }) => from === 0).length;
  while (ofFirst() < Math.min(3, nodes - 1)) add(0, 1 + below(nodes - 1));
  const wanted = Math.min(most, edges.length + more);
  while (edges.length < wanted) add(below(nodes), below(nodes));
  return edges;
}
