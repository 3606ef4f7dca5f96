import type { NodeRecord } from "./record.ts";

/** No edge. */
export const NO_EDGE = -1;

/**
 * The table as numbers side by side, by place in the graph: what each node's way was when it was last computed. A computation that
 * changes little reads these and leaves the records alone, which lie all over the memory.
 */
export class Rows {
  /** Whose row it is. */
  owner: (NodeRecord | undefined)[] = [];
  /** Which of this node's edges the way begins with, as they were numbered then. */
  edge = new Int32Array(0);
  /** In thousandths. */
  cost = new Float64Array(0);
  hops = new Int32Array(0);

  grow(count: number): void {
    if (this.edge.length >= count) return;
    const room = Math.max(16, count + (count >> 1));
    const { edge, cost, hops } = this;
    this.edge = new Int32Array(room).fill(NO_EDGE);
    this.cost = new Float64Array(room).fill(Number.NaN);
    this.hops = new Int32Array(room);
    this.edge.set(edge);
    this.cost.set(cost);
    this.hops.set(hops);
  }

  set(record: NodeRecord, edge: number): void {
    const at = record.index;
    if (this.owner[at] !== record) {
      this.clear(record);
      this.owner[at] = record;
      record.row = at;
    }
    this.edge[at] = edge;
    this.cost[at] = record.cost;
    this.hops[at] = record.hops;
  }

  /** The record has left the graph. */
  clear(record: NodeRecord): void {
    if (record.row >= 0 && this.owner[record.row] === record) this.owner[record.row] = undefined;
    record.row = -1;
  }
}
