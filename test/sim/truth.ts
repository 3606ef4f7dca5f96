import { Heap } from "./heap.ts";
import type { SimNode } from "./node.ts";

/** By node: what it is linked to in truth, and at which cost. */
export type Graph = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** R10 keeps a next hop that works until another costs 90 % or less. */
const STICKY = 0.9;
const ROUNDING = 0.002;

/** The links that both ends have and advertise, and those of a node itself. */
export function trueGraph(nodes: readonly SimNode[]): Graph {
  const links = new Map<string, Map<string, number>>();
  const costs = new Map<string, Map<string, number>>();
  for (const { id, engine } of nodes) {
    const said = new Map<string, number>();
    for (const { peer, cost } of engine?.routing.advertisement(id)?.links ?? []) said.set(peer, cost);
    costs.set(id, said);
  }
  for (const { id } of nodes) {
    const mine = new Map<string, number>();
    for (const [peer, cost] of costs.get(id) ?? []) {
      const back = costs.get(peer)?.get(id);
      if (back !== undefined) mine.set(peer, Math.max(cost, back));
    }
    links.set(id, mine);
  }
  return links;
}

/** Dijkstra, plainly. */
export function shortest(graph: Graph, from: string): ReadonlyMap<string, number> {
  const done = new Map<string, number>();
  const heap = new Heap<{ readonly node: string; readonly cost: number }>((a, b) => a.cost < b.cost);
  heap.push({ node: from, cost: 0 });
  for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
    if (done.has(next.node)) continue;
    done.set(next.node, next.cost);
    for (const [peer, cost] of graph.get(next.node) ?? []) if (!done.has(peer)) heap.push({ node: peer, cost: next.cost + cost });
  }
  return done;
}

/** I3 and I4: what in the routing tables is not so in truth. */
export function wrongRoutes(nodes: readonly SimNode[]): string[] {
  const graph = trueGraph(nodes);
  const wrong: string[] = [];
  for (const from of nodes) {
    const routing = from.engine?.routing;
    if (routing === undefined) continue;
    const costs = shortest(withOwnLinks(graph, from), from.id);
    for (const to of nodes) {
      if (from === to) continue;
      const route = routing.route(to.id);
      const cost = costs.get(to.id);
      const pair = `${from.id} > ${to.id}`;
      if (cost === undefined) {
        if (route !== undefined) wrong.push(`${pair}: a route over ${route.nextHop} where there is no way`);
      } else if (route === undefined) {
        wrong.push(`${pair}: no route, at a true cost of ${cost}`);
      } else if (route.cost > cost / STICKY + ROUNDING || route.cost < cost * STICKY - ROUNDING) {
        wrong.push(`${pair}: cost ${route.cost}, in truth ${cost}`);
      } else if (!arrives(nodes, from, to)) {
        wrong.push(`${pair}: the way over ${route.nextHop} does not arrive`);
      }
    }
  }
  return wrong;
}

/** A node uses a link of its own at once, also one that it does not advertise as it flaps (R11). */
function withOwnLinks(graph: Graph, node: SimNode): Graph {
  const own = new Map(graph.get(node.id));
  for (const { peer, cost, adjacent } of node.engine?.links.list() ?? [])
    if (adjacent && !own.has(peer))
      own.set(peer, Math.max(cost, node.engine?.routing.advertisement(peer)?.links.find((link) => link.peer === node.id)?.cost ?? 0));
  return new Map([...graph, [node.id, own]]);
}

/** Whether following next hops arrives, without passing a node twice. */
function arrives(nodes: readonly SimNode[], from: SimNode, to: SimNode): boolean {
  const byId = new Map<string, SimNode>(nodes.map((node) => [node.id, node]));
  const passed = new Set<SimNode>();
  for (let at: SimNode | undefined = from; at !== to; ) {
    if (at === undefined || passed.has(at)) return false;
    passed.add(at);
    const hop: string | undefined = at.engine?.routing.route(to.id)?.nextHop;
    at = hop === undefined ? undefined : byId.get(hop);
  }
  return true;
}
