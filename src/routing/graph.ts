import type { NodeId } from "../core/ids.ts";
import { costAt, LinkCursor, listedCost } from "../wire/advertisement-layout.ts";
import { Adjacency } from "./adjacency.ts";
import type { NodeRecord } from "./record.ts";
import type { Edge } from "./types.ts";

/** Where a node has more links than this, all its edges are made anew at a change: comparing each with each would take longer. */
const COMPARED = 16;

/** Finds the live record of a node. */
export type FindNode = (id: NodeId) => NodeRecord | undefined;

/**
 * The live nodes and the edges that both ends list (R5), kept up to date one advertisement at a time: a computation of paths
 * rebuilds nothing.
 */
export class Graph {
  /** By index; undefined where an index is free. */
  readonly records: (NodeRecord | undefined)[] = [];
  readonly edgesOf = new Adjacency();
  /** By index: 1 where traffic of others may pass. */
  transit = new Uint8Array(0);
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
    this.#grow(this.records.length);
    this.#connect(record);
  }

  /** Its advertisement has changed; `before`: from what. */
  update(record: NodeRecord, before: Uint8Array | undefined): void {
    this.transit[record.index] = record.transit ? 1 : 0;
    const now = record.raw;
    if (now === undefined || before === undefined || new LinkCursor(now).left > COMPARED || new LinkCursor(before).left > COMPARED) {
      this.#disconnect(record);
      this.#connect(record);
      return;
    }
    const old = new LinkCursor(before);
    while (old.next()) if (costAt(now, before, old.start, old.length) === 0) this.#separate(record, old);
    const cursor = new LinkCursor(now);
    while (cursor.next()) {
      if (costAt(before, now, cursor.start, cursor.length) === cursor.cost) continue;
      // Of two that name one peer the first counts.
      if (costAt(now, now, cursor.start, cursor.length) !== cursor.cost) continue;
      this.#separate(record, cursor);
      this.#join(record, cursor, ++this.#stamp);
    }
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
      for (const [to] of this.#edges(record)) {
        const other = this.records[to];
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
      for (const [to, cost] of this.#edges(record)) {
        const other = this.records[to];
        if (other !== undefined && record.id < other.id) edges.push({ between: [record.id, other.id], cost: cost / 1000 });
      }
    }
    return edges;
  }

  *#edges({ index }: NodeRecord): Generator<readonly [to: number, cost: number]> {
    const { pairs, start, count } = this.edgesOf;
    const from = start[index] as number;
    const end = from + 2 * (count[index] as number);
    for (let at = from; at < end; at += 2) yield [pairs[at] as number, pairs[at + 1] as number];
  }

  #grow(count: number): void {
    this.edgesOf.grow(count);
    if (this.transit.length >= count) return;
    const { transit } = this;
    this.transit = new Uint8Array(this.edgesOf.count.length);
    this.transit.set(transit);
  }

  #connect(record: NodeRecord): void {
    this.transit[record.index] = record.transit ? 1 : 0;
    if (record.raw === undefined) return;
    const stamp = ++this.#stamp;
    record.stamp = stamp;
    const cursor = new LinkCursor(record.raw);
    while (cursor.next()) this.#join(record, cursor, stamp);
  }

  /** Makes the edge at which the cursor is, if the other end lists it too and does not have this stamp. */
  #join(record: NodeRecord, cursor: LinkCursor, stamp: number): void {
    const other = this.#find(cursor.peer());
    if (record.raw === undefined || other?.raw === undefined || other.index < 0 || other === record || other.stamp === stamp) return;
    other.stamp = stamp;
    const back = listedCost(other.raw, record.raw);
    if (back === 0) return;
    const cost = Math.max(back, cursor.cost);
    this.edgesOf.add(record.index, other.index, cost);
    this.edgesOf.add(other.index, record.index, cost);
  }

  #separate(record: NodeRecord, cursor: LinkCursor): void {
    const other = this.#find(cursor.peer());
    if (other === undefined || other.index < 0) return;
    this.edgesOf.remove(record.index, other.index);
    this.edgesOf.remove(other.index, record.index);
  }

  #disconnect(record: NodeRecord): void {
    for (const [to] of this.#edges(record)) this.edgesOf.remove(to, record.index);
    this.edgesOf.clear(record.index);
  }
}
