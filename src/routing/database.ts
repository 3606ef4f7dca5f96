import type { NodeId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { type NodeHash, NodeHashMap } from "../core/node-hash.ts";
import { LinkCursor } from "../wire/advertisement-layout.ts";
import { Graph } from "./graph.ts";
import { ROUTING } from "./numbers.ts";
import { NodeRecord, type Version } from "./record.ts";

/** An advertisement as it is to be stored. */
export interface Said extends Version {
  readonly flags: number;
  readonly raw: Uint8Array;
  /** How long ago its origin said it. */
  readonly age: Millis;
}

/**
 * What every node of the mesh said last, and the tombstones of those that are gone. (epoch, sequence) of a node never falls:
 * a tombstone remembers them.
 */
export class Database {
  readonly graph: Graph;
  /** Grows with every change of what a live node says. */
  version = 0;
  readonly #byHash = new NodeHashMap<NodeRecord>();
  readonly #byId = new Map<NodeId, NodeRecord>();
  /** The oldest first. */
  readonly #tombstones = new Set<NodeRecord>();
  #live = 0;
  #nextSweep: Instant | undefined;

  constructor() {
    this.graph = new Graph((id) => this.#byId.get(id));
  }

  /** How many nodes are live. */
  get size(): number {
    return this.#live;
  }

  get full(): boolean {
    return this.#live >= LIMITS.nodes;
  }

  get nextSweep(): Instant | undefined {
    return this.#nextSweep;
  }

  at(high: number, low: number): NodeRecord | undefined {
    return this.#byHash.get(high, low);
  }

  find(id: NodeId): NodeRecord | undefined {
    return this.#byId.get(id);
  }

  records(): IterableIterator<NodeRecord> {
    return this.#byId.values();
  }

  create(id: NodeId, hash: NodeHash): NodeRecord {
    const record = new NodeRecord(id, hash.high, hash.low);
    this.#byHash.set(hash.high, hash.low, record);
    this.#byId.set(id, record);
    return record;
  }

  /** Stores what a node says of itself; true where that may change a path. */
  put(now: Instant, record: NodeRecord, said: Said): boolean {
    const before = record.raw;
    const flags = record.flags;
    record.replace(said, said.flags, said.raw);
    record.saidAt = now - said.age;
    this.version++;
    this.#schedule(now, record);
    if (!record.live) {
      record.live = true;
      this.#live++;
      this.#tombstones.delete(record);
      this.graph.add(record);
      return true;
    }
    if (flags === said.flags && before !== undefined && sameLinks(before, said.raw)) return false;
    this.graph.update(record, before);
    return true;
  }

  /** Leaves a tombstone of it; `said` is its goodbye, where it said one. */
  bury(now: Instant, record: NodeRecord, said?: Said): void {
    // A goodbye is kept, for neighbours that missed it.
    if (said === undefined) record.forget();
    else record.replace(said, said.flags, said.raw);
    if (record.live) {
      record.live = false;
      this.#live--;
      this.graph.remove(record);
    }
    record.hold = undefined;
    record.deadline = now + ROUTING.tombstone;
    this.version++;
    this.#tombstones.delete(record);
    this.#tombstones.add(record);
    this.watch(record.deadline);
    for (const oldest of this.#tombstones) {
      if (this.#tombstones.size <= ROUTING.tombstones) break;
      this.#forget(oldest);
    }
  }

  /** Whether the node is reachable has changed. */
  reachabilityChanged(now: Instant, record: NodeRecord): void {
    if (record.live) this.#schedule(now, record);
  }

  /** There is something for `sweep` at `at`. */
  watch(at: Instant): void {
    if (this.#nextSweep === undefined || at < this.#nextSweep) this.#nextSweep = at;
  }

  /** Forgets tombstones that are old enough, and returns live records whose time is over: some of them, where there are many. */
  sweep(now: Instant): NodeRecord[] {
    const over: NodeRecord[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const record of this.#byId.values()) {
      if (record.deadline > now) next = Math.min(next, record.deadline);
      else if (!record.live) this.#forget(record);
      else if (over.push(record) === ROUTING.sweepAtOnce) break;
    }
    if (over.length === ROUTING.sweepAtOnce) this.#nextSweep = now + ROUTING.sweepGap;
    else this.#nextSweep = next === Number.POSITIVE_INFINITY ? undefined : Math.max(next, now + ROUTING.sweep);
    return over;
  }

  #schedule(now: Instant, record: NodeRecord): void {
    record.deadline = record.saidAt + ROUTING.maxAge;
    if (record.ephemeral && !record.reachable) record.deadline = Math.min(record.deadline, now + ROUTING.ephemeralGrace);
    this.watch(record.deadline);
  }

  #forget(record: NodeRecord): void {
    this.#tombstones.delete(record);
    this.#byHash.delete(record.high, record.low);
    this.#byId.delete(record.id);
  }
}

function sameLinks(a: Uint8Array, b: Uint8Array): boolean {
  const one = new LinkCursor(a);
  const other = new LinkCursor(b);
  const from = one.end;
  if (one.left !== other.left || from !== other.end) return false;
  while (one.next()) if (!other.next()) return false;
  if (one.end !== other.end) return false;
  for (let i = from; i < one.end; i++) if (a[i] !== b[i]) return false;
  return true;
}
