import { Deadlines } from "../core/deadlines.ts";
import type { Instant } from "../core/instant.ts";
import { BatchWriter, encodePull, readPull } from "../wire/digest.ts";
import { FRAME } from "../wire/frame.ts";
import type { Database } from "./database.ts";
import { Hold } from "./hold.ts";
import type { Link, Links, Missed } from "./links.ts";
import { ROUTING, scaled } from "./numbers.ts";
import { compareVersions, type NodeRecord, type Version } from "./record.ts";
import type { Emit } from "./types.ts";

/**
 * Passes on what is new to every neighbour that does not have it (R8): not too often for one origin, and one frame a link for all
 * that is new since the last flood.
 */
export class Flood {
  readonly #database: Database;
  readonly #links: Links;
  readonly #emit: Emit;
  /** What is to be passed on, now or once its hold is over, and the neighbours that have it already. */
  readonly #known = new Map<NodeRecord, Link[]>();
  /** Of these: what goes with the next flood. */
  #ready: NodeRecord[] = [];
  readonly #held = new Deadlines<NodeRecord>();
  #readyAt: Instant = Number.NEGATIVE_INFINITY;
  #pullAt: Instant | undefined;

  constructor(database: Database, links: Links, emit: Emit) {
    this.#database = database;
    this.#links = links;
    this.#emit = emit;
  }

  get nextWake(): Instant | undefined {
    let next = this.#held.next() ?? Number.POSITIVE_INFINITY;
    if (this.#ready.length > 0 && this.#readyAt < next) next = this.#readyAt;
    if (this.#pullAt !== undefined && this.#pullAt < next) next = this.#pullAt;
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** `record` is new, came from `from`, and goes on; `urgent`: whatever its origin said just before. */
  relay(now: Instant, record: NodeRecord, from?: Link, urgent = false): void {
    const known = this.#known.has(record);
    this.#known.set(record, from === undefined ? [] : [from]);
    const held = this.#held.get(record) !== undefined;
    // It has not left yet: now the newer goes in its place.
    if (known && !held) return;
    const readyAt = record.hold?.readyAt ?? record.floodedAt + ROUTING.hold;
    if (!urgent && now < readyAt) {
      if (!held) this.#held.set(record, readyAt);
      return;
    }
    this.#held.delete(record);
    this.#release(now, record);
  }

  /** The neighbour has said the same as is stored, so it need not be told. */
  heard(link: Link, record: NodeRecord): void {
    this.#known.get(record)?.push(link);
    link.exchange?.heard(record);
  }

  /** Sends the newest of `record` to one neighbour. */
  answer(now: Instant, link: Link, record: NodeRecord): void {
    if (record.raw === undefined || !link.answers.take(now)) return;
    this.#send(now, link, [record]);
  }

  /** A neighbour sent more than it may: it is asked for `version` of the node later. */
  miss(now: Instant, link: Link, high: number, low: number, version: Version): void {
    const known = link.missed.get(high, low);
    if (known === undefined && link.missed.size >= ROUTING.tombstones) return;
    if (known !== undefined && compareVersions(known, version) >= 0) return;
    const { epoch, sequence, boot } = version;
    link.missed.set(high, low, { high, low, epoch, sequence, boot });
    const at = now + ROUTING.pullEvery;
    if (this.#pullAt === undefined || at < this.#pullAt) this.#pullAt = at;
  }

  /** The neighbour asks for what it could not take before. Returns the flags of the pull. Throws PROTOCOL_ERROR. */
  onPull(now: Instant, link: Link, body: Uint8Array): number {
    const wanted: NodeRecord[] = [];
    const flags = readPull(body, (high, low) => {
      const record = this.#database.at(high, low);
      if (record?.raw !== undefined && wanted.length < ROUTING.pullSize) wanted.push(record);
    });
    if (wanted.length > 0) {
      if (link.pulls.take(now)) this.#send(now, link, wanted);
      else this.#emit({ type: "rejected", link: link.id, reason: "too many pulls" });
    }
    return flags;
  }

  /** What was held and may go, and what is to be asked for again. */
  wake(now: Instant): void {
    for (let record = this.#held.take(now); record !== undefined; record = this.#held.take(now)) this.#release(now, record);
    if (this.#pullAt !== undefined && this.#pullAt <= now) this.#pullAll(now);
  }

  /** Sends what is ready, unless the last flood was only just; `urgent`: even then. */
  flush(now: Instant, urgent = false): void {
    const ready = this.#ready;
    if (ready.length === 0 || (now < this.#readyAt && !urgent)) return;
    this.#ready = [];
    this.#readyAt = now + Math.floor(scaled(ROUTING.floodGap, ROUTING.floodGapPerNode, this.#database.size));
    const knowing = new Set<Link>();
    for (const record of ready) for (const link of this.#known.get(record) ?? []) knowing.add(link);
    let forAll: readonly Uint8Array[] | undefined;
    for (const link of this.#links.values()) {
      if (link.closed) continue;
      const exchange = urgent ? undefined : link.exchange;
      if (exchange !== undefined || knowing.has(link)) {
        this.#send(
          now,
          link,
          ready.filter((record) => !this.#knows(link, record) && exchange?.add(record) !== true),
        );
      } else {
        forAll ??= this.#encode(now, ready);
        this.#sendBodies(link, forAll);
      }
    }
    for (const record of ready) {
      this.#known.delete(record);
      if (!record.live && record.ephemeral) record.forget();
    }
  }

  #knows(link: Link, record: NodeRecord): boolean {
    return this.#known.get(record)?.includes(link) === true;
  }

  #release(now: Instant, record: NodeRecord): void {
    const quiet = now - record.floodedAt;
    if (quiet >= 2 * ROUTING.holdMaximum) record.hold = undefined;
    if (record.hold !== undefined || quiet < ROUTING.holdQuiet) {
      record.hold ??= new Hold(record.floodedAt);
      record.hold.passed(now, scaled(ROUTING.holdMaximum, ROUTING.holdPerNode, this.#database.size));
    }
    record.floodedAt = now;
    this.#ready.push(record);
  }

  #send(now: Instant, link: Link, records: readonly NodeRecord[]): void {
    this.#sendBodies(link, this.#encode(now, records));
  }

  #sendBodies(link: Link, bodies: readonly Uint8Array[]): void {
    for (const body of bodies) this.#emit({ type: "send", link: link.id, kind: FRAME.advertisements, body });
  }

  #encode(now: Instant, records: readonly NodeRecord[]): readonly Uint8Array[] {
    const writer = new BatchWriter();
    for (const record of records) if (record.raw !== undefined) writer.add(record.raw, now - record.saidAt);
    return writer.finish();
  }

  #pullAll(now: Instant): void {
    this.#pullAt = undefined;
    for (const link of this.#links.values()) {
      if (link.closed || !link.misses) continue;
      const at = link.pulledAt + ROUTING.pullEvery;
      if (at <= now) this.#pull(now, link);
      if (!link.misses) continue;
      const next = Math.max(at, link.pulledAt + ROUTING.pullEvery);
      if (this.#pullAt === undefined || next < this.#pullAt) this.#pullAt = next;
    }
  }

  #pull(now: Instant, link: Link): void {
    const taken: Missed[] = [];
    for (const missed of link.missed.values()) {
      taken.push(missed);
      if (taken.length === ROUTING.pullSize) break;
    }
    const nodes: Missed[] = [];
    for (const missed of taken) {
      link.missed.delete(missed.high, missed.low);
      const record = this.#database.at(missed.high, missed.low);
      if (record === undefined || compareVersions(record, missed) < 0) nodes.push(missed);
    }
    if (nodes.length === 0) return;
    link.pulledAt = now;
    link.credit += nodes.length;
    this.#emit({ type: "send", link: link.id, kind: FRAME.pull, body: encodePull(0, nodes) });
  }
}
