import type { Instant } from "../core/instant.ts";
import { TokenBucket } from "../core/token-bucket.ts";
import { listedCost } from "../wire/advertisement-layout.ts";
import type { Database } from "./database.ts";
import type { Links } from "./links.ts";
import { ROUTING } from "./numbers.ts";
import { Paths } from "./paths.ts";
import { NO_LINK, type NodeRecord } from "./record.ts";
import { NO_EDGE, Rows } from "./rows.ts";
import type { Emit, LinkId } from "./types.ts";

/** A neighbour, as the first edge of paths. */
interface FirstEdge {
  readonly link: LinkId;
  readonly neighbour: NodeRecord;
  readonly cost: number;
}

/** How the first edges of the last computation are numbered in this one. */
interface Renumbering {
  /** By old number: the edge to the same neighbour, NO_EDGE where that is gone. */
  readonly moved: Int32Array;
  /** The same where it goes over the same link; OTHER where not. */
  readonly same: Int32Array;
}

const OTHER = -2;

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
  readonly #rows = new Rows();
  /** Of the last computation. */
  #edges: readonly FirstEdge[] = [];
  /** By place in the graph: 1 where the old next hop stays. */
  #kept = new Uint8Array(0);
  #changed = false;
  readonly #budget = new TokenBucket(ROUTING.betterRate, ROUTING.betterNodes);

  constructor(database: Database, links: Links, self: NodeRecord, emit: Emit) {
    this.#database = database;
    this.#links = links;
    this.#self = self;
    this.#emit = emit;
    self.cost = 0;
  }

  /** A link is gone: nothing may go over it from here on, even before the paths are computed anew. It never comes back under its number. */
  invalidate(link: LinkId): void {
    for (const record of this.#database.graph.records) if (record?.nextLink === link) record.nextLink = NO_LINK;
  }

  /** A node is gone. */
  drop(record: NodeRecord): void {
    this.#rows.clear(record);
    this.#set(record, NO_LINK, undefined, Number.POSITIVE_INFINITY, 0);
    this.#report();
  }

  recompute(now: Instant): void {
    const { graph } = this.#database;
    const edges = this.#firstEdges();
    const count = graph.records.length;
    this.#rows.grow(count);
    if (this.#kept.length < count) this.#kept = new Uint8Array(this.#rows.edge.length);
    else this.#kept.fill(0, 0, count);
    const renumbering = renumber(this.#edges, edges);
    this.#edges = edges;
    this.#paths.run(graph, this.#self.index, pairs(edges));
    this.#keepOld(now, edges, renumbering.moved);
    this.#take(now, edges, renumbering.same);
    this.#report();
  }

  /** Writes the new paths into the records that they change. */
  #take(now: Instant, edges: readonly FirstEdge[], same: Int32Array): void {
    const { records } = this.#database.graph;
    const { distance, hops, first } = this.#paths;
    const rows = this.#rows;
    const kept = this.#kept;
    for (let at = 0; at < records.length; at++) {
      const record = records[at];
      if (record === undefined || record === this.#self || kept[at] === 1) continue;
      const edge = first[at] as number;
      const before = rows.edge[at] as number;
      const stays = (before === NO_EDGE ? NO_EDGE : same[before]) === edge;
      if (stays && rows.owner[at] === record && rows.cost[at] === distance[at] && rows.hops[at] === hops[at]) {
        rows.edge[at] = edge;
        continue;
      }
      const wasReachable = record.reachable;
      const by = edges[edge];
      if (by === undefined) this.#set(record, NO_LINK, undefined, Number.POSITIVE_INFINITY, 0);
      else this.#set(record, by.link, by.neighbour, distance[at] as number, hops[at] as number);
      rows.set(record, edge);
      if (wasReachable !== record.reachable) this.#database.reachabilityChanged(now, record);
    }
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
  #keepOld(now: Instant, edges: readonly FirstEdge[], moved: Int32Array): void {
    for (const [number, records] of this.#leavers(moved)) {
      const edge = edges[number];
      if (edge === undefined || !this.#budget.take(now, this.#database.size)) continue;
      const from = edge.neighbour;
      this.#old.run(this.#database.graph, from.index, undefined, this.#worth(edge, records));
      for (const record of records) {
        const rest = record === from ? 0 : from.transit ? (this.#old.distance[record.index] as number) : Number.POSITIVE_INFINITY;
        const best = this.#paths.distance[record.index] as number;
        if (rest >= best || best <= ROUTING.better * (edge.cost + rest)) continue;
        this.#set(record, edge.link, from, edge.cost + rest, 1 + (this.#old.hops[record.index] as number));
        this.#rows.set(record, number);
        this.#kept[record.index] = 1;
      }
    }
  }

  /** What a way on from the neighbour may cost so that it is kept for one of `records` at the least. */
  #worth(edge: FirstEdge, records: readonly NodeRecord[]): number {
    let worth = 0;
    for (const { index } of records) {
      const best = this.#paths.distance[index] as number;
      worth = Math.max(worth, Math.min(best, best / ROUTING.better - edge.cost));
    }
    return worth;
  }

  /** Nodes that would change from a neighbour that still works, by the number of the edge to that neighbour. */
  #leavers(moved: Int32Array): ReadonlyMap<number, readonly NodeRecord[]> {
    const leavers = new Map<number, NodeRecord[]>();
    const { records } = this.#database.graph;
    const { first } = this.#paths;
    const rows = this.#rows;
    for (let at = 0; at < records.length; at++) {
      const before = rows.edge[at] as number;
      const next = first[at] as number;
      if (before === NO_EDGE || next === NO_EDGE) continue;
      const old = moved[before] as number;
      const record = records[at];
      if (old === next || old === NO_EDGE || record === undefined || rows.owner[at] !== record) continue;
      const list = leavers.get(old);
      if (list !== undefined) list.push(record);
      else if (leavers.size < ROUTING.betterLimit) leavers.set(old, [record]);
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

function renumber(before: readonly FirstEdge[], now: readonly FirstEdge[]): Renumbering {
  const numbers = new Map(now.map(({ neighbour }, number) => [neighbour.id, number]));
  const moved = new Int32Array(before.length);
  const same = new Int32Array(before.length);
  for (const [old, { neighbour, link }] of before.entries()) {
    const number = numbers.get(neighbour.id) ?? NO_EDGE;
    moved[old] = number;
    same[old] = now[number]?.link === link && now[number].neighbour === neighbour ? number : OTHER;
  }
  return { moved, same };
}
