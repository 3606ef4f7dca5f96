import type { NodeId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import { listedCost } from "../wire/advertisement-layout.ts";
import type { Database } from "./database.ts";
import type { Links } from "./links.ts";
import { ROUTING } from "./numbers.ts";
import { Paths } from "./paths.ts";
import { NO_LINK, type NodeRecord } from "./record.ts";
import type { Emit, LinkId } from "./types.ts";

/** A neighbour, as the first edge of paths. */
interface FirstEdge {
  readonly link: LinkId;
  readonly neighbour: NodeRecord;
  readonly cost: number;
}

/** The forwarding table: written into the records, so that a look-up is one map access. */
export class Table {
  /** Grows with each change. */
  version = 0;
  readonly #database: Database;
  readonly #links: Links;
  readonly #self: NodeRecord;
  readonly #emit: Emit;
  readonly #paths = new Paths();
  readonly #old = new Paths();
  #changed = false;

  constructor(database: Database, links: Links, self: NodeRecord, emit: Emit) {
    this.#database = database;
    this.#links = links;
    this.#self = self;
    this.#emit = emit;
    self.cost = 0;
  }

  /** A link is gone: nothing may go over it from here on, even before the paths are computed anew. */
  invalidate(link: LinkId): void {
    for (const record of this.#database.graph.records) if (record?.nextLink === link) record.nextLink = NO_LINK;
  }

  /** A node is gone. */
  drop(record: NodeRecord): void {
    this.#set(record, NO_LINK, undefined, Number.POSITIVE_INFINITY, 0);
    this.#report();
  }

  recompute(now: Instant): void {
    const { graph } = this.#database;
    const edges = this.#firstEdges();
    const paths = this.#paths;
    paths.run(graph, this.#self.index, pairs(edges));
    const kept = this.#keepOld(edges);
    for (const record of graph.records) {
      if (record === undefined || record === this.#self || kept.has(record)) continue;
      const edge = edges[paths.first[record.index] as number];
      const wasReachable = record.reachable;
      if (edge === undefined) this.#set(record, NO_LINK, undefined, Number.POSITIVE_INFINITY, 0);
      else this.#set(record, edge.link, edge.neighbour, paths.distance[record.index] as number, paths.hops[record.index] as number);
      if (wasReachable !== record.reachable) this.#database.reachabilityChanged(now, record);
    }
    this.#report();
  }

  /** Links of this node count as soon as they carry traffic, whatever is advertised; a cost that the neighbour lists counts where it is greater. */
  #firstEdges(): FirstEdge[] {
    const edges: FirstEdge[] = [];
    for (const link of this.#links.best()) {
      const neighbour = this.#database.find(link.peer);
      if (neighbour?.raw === undefined || !neighbour.live || this.#self.raw === undefined) continue;
      edges.push({ link: link.id, neighbour, cost: Math.max(link.cost, listedCost(neighbour.raw, this.#self.raw)) });
    }
    return edges;
  }

  /**
   * R10: leaves nodes with their old next hop where that is nearly as good, and brings them nearer. Without the second condition two
   * nodes could each keep the other as their next hop.
   */
  #keepOld(edges: readonly FirstEdge[]): ReadonlySet<NodeRecord> {
    const kept = new Set<NodeRecord>();
    for (const [edge, records] of this.#leavers(edges)) {
      const from = edge.neighbour;
      this.#old.run(this.#database.graph, from.index, from.edges);
      for (const record of records) {
        const rest = record === from ? 0 : from.transit ? (this.#old.distance[record.index] as number) : Number.POSITIVE_INFINITY;
        const best = this.#paths.distance[record.index] as number;
        if (rest >= best || best <= ROUTING.better * (edge.cost + rest)) continue;
        this.#set(record, edge.link, from, edge.cost + rest, 1 + (this.#old.hops[record.index] as number));
        kept.add(record);
      }
    }
    return kept;
  }

  /** Nodes that would change from a neighbour that still works, by that neighbour. */
  #leavers(edges: readonly FirstEdge[]): ReadonlyMap<FirstEdge, readonly NodeRecord[]> {
    const leavers = new Map<FirstEdge, NodeRecord[]>();
    const limit = Math.min(ROUTING.betterLimit, ROUTING.betterNodes / this.#database.size);
    const byId = new Map<NodeId, FirstEdge>(edges.map((edge) => [edge.neighbour.id, edge]));
    for (const record of this.#database.graph.records) {
      if (record?.via === undefined) continue;
      const next = edges[this.#paths.first[record.index] as number];
      if (next === undefined || next.neighbour === record.via) continue;
      const old = byId.get(record.via.id);
      if (old === undefined) continue;
      const list = leavers.get(old);
      if (list !== undefined) list.push(record);
      else if (leavers.size < limit) leavers.set(old, [record]);
    }
    return leavers;
  }

  #set(record: NodeRecord, link: LinkId, via: NodeRecord | undefined, cost: number, hops: number): void {
    const wasReachable = record.reachable;
    if (record.nextLink !== link || record.cost !== cost || record.via !== via || record.hops !== hops) this.#changed = true;
    record.nextLink = link;
    record.via = via;
    record.cost = cost;
    record.hops = hops;
    if (wasReachable !== record.reachable) this.#emit({ type: record.reachable ? "node-up" : "node-down", node: record.id });
  }

  #report(): void {
    if (!this.#changed) return;
    this.#changed = false;
    this.version++;
    this.#emit({ type: "routes-changed" });
  }
}

function pairs(edges: readonly FirstEdge[]): number[] {
  const flat: number[] = [];
  for (const { neighbour, cost } of edges) flat.push(neighbour.index, cost);
  return flat;
}
