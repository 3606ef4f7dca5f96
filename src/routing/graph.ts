import type { NodeId } from "../core/ids.ts";
import { LinkCursor, listedCost } from "../wire/advertisement-layout.ts";
import type { NodeRecord } from "./record.ts";
import type { Edge } from "./types.ts";

/** Finds the live record of a node. */
export type FindNode = (id: NodeId) => NodeRecord | undefined;

/**
 * The live nodes and the edges that both ends list (R5), kept up to date one advertisement at a time: a computation of paths
 * rebuilds nothing.
 */
export class Graph {
  /** By index; undefined where an index is free. */
  readonly records: (NodeRecord | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #find: FindNode;
  #stamp = 0;

  constructor(find: FindNode) {
    this.#find = find;
  }

  /** Takes a live record in, with the edges that its advertisement makes two-way. */
  add(record: NodeRecord): void {
    record.index = this.#free.pop() ?? this.records.length;
    this.records[record.index] = record;
    this.#connect(record);
  }

  /** Its advertisement has changed. */
  update(record: NodeRecord): void {
    this.#disconnect(record);
    this.#connect(record);
  }

  remove(record: NodeRecord): void {
    this.#disconnect(record);
    this.records[record.index] = undefined;
    this.#free.push(record.index);
    record.index = -1;
  }

  /** Whether `target` can be reached from `starts` without passing `self`. */
  reaches(self: NodeRecord, starts: readonly NodeRecord[], target: NodeRecord): boolean {
    const stamp = ++this.#stamp;
    self.stamp = stamp;
    const open = [...starts];
    for (let record = open.pop(); record !== undefined; record = open.pop()) {
      if (record === target) return true;
      if (record.stamp === stamp) continue;
      record.stamp = stamp;
      if (!record.transit) continue;
      for (let i = 0; i < record.edges.length; i += 2) {
        const other = this.records[record.edges[i] as number];
        if (other !== undefined && other.stamp !== stamp) open.push(other);
      }
    }
    return false;
  }

  /** Every two-way edge once. */
  edges(): Edge[] {
    const edges: Edge[] = [];
    for (const record of this.records) {
      if (record === undefined) continue;
      for (let i = 0; i < record.edges.length; i += 2) {
        const other = this.records[record.edges[i] as number];
        if (other !== undefined && record.id < other.id)
          edges.push({ between: [record.id, other.id], cost: (record.edges[i + 1] as number) / 1000 });
      }
    }
    return edges;
  }

  #connect(record: NodeRecord): void {
    if (record.raw === undefined) return;
    const stamp = ++this.#stamp;
    record.stamp = stamp;
    const edges: number[] = [];
    const cursor = new LinkCursor(record.raw);
    while (cursor.next()) {
      const other = this.#find(cursor.peer());
      if (other?.raw === undefined || other.index < 0 || other.stamp === stamp) continue;
      other.stamp = stamp;
      const back = listedCost(other.raw, record.raw);
      if (back === 0) continue;
      const cost = Math.max(back, cursor.cost);
      edges.push(other.index, cost);
      if (other.edges.length === 0) other.edges = [record.index, cost];
      else other.edges.push(record.index, cost);
    }
    if (edges.length > 0) record.edges = edges;
  }

  #disconnect(record: NodeRecord): void {
    const edges = record.edges;
    for (let i = 0; i < edges.length; i += 2) {
      const back = this.records[edges[i] as number]?.edges;
      if (back === undefined) continue;
      for (let j = 0; j < back.length; j += 2) {
        if (back[j] !== record.index) continue;
        back.splice(j, 2);
        break;
      }
    }
    if (edges.length > 0) record.edges = [];
  }
}
