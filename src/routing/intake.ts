import { MeshError } from "../core/errors.ts";
import type { Instant, Millis } from "../core/instant.ts";
import {
  ADVERTISEMENT_FLAG,
  type AdvertisementHead,
  type AdvertisementLayout,
  bootOf,
  checkAdvertisement,
  isOf,
  readHead,
  uptimeOf,
} from "../wire/advertisement-layout.ts";
import { decodeAdvertisement } from "../wire/advertisement.ts";
import { BATCH_FLAG, readBatch } from "../wire/digest.ts";
import type { Database, Said } from "./database.ts";
import type { Flood } from "./flood.ts";
import type { Link } from "./links.ts";
import { ROUTING } from "./numbers.ts";
import { type Forgery, isFault, judgeAdvertisement, type Signatures } from "./proof.ts";
import { compareVersions, type NodeRecord } from "./record.ts";
import type { OwnNode } from "./self.ts";
import type { Table } from "./table.ts";
import type { Emit } from "./types.ts";

interface Parts {
  readonly database: Database;
  readonly flood: Flood;
  readonly own: OwnNode;
  readonly table: Table;
  readonly emit: Emit;
  /** Undefined: everything is taken as it is said. */
  readonly signatures: Signatures | undefined;
  /** What was stored may change a path. */
  readonly topologyChanged: (now: Instant, record: NodeRecord) => void;
}

/** Judges advertisements as they come: drops duplicates by their first bytes, stores and floods what is new, answers what is old. */
export class Intake {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Throws PROTOCOL_ERROR or TOO_LARGE where the peer must be cut off. */
  onBatch(now: Instant, link: Link, body: Uint8Array): void {
    const flags = body[0] ?? 0;
    const exchange = (flags & BATCH_FLAG.exchange) !== 0 && link.exchange?.receiving === true ? link.exchange : undefined;
    readBatch(body, (view, start, end, age) => {
      exchange?.onEntry(now);
      this.#judge(now, link, body, view, start, end, age, exchange !== undefined);
    });
    exchange?.onBatch(flags);
  }

  #judge(now: Instant, link: Link, body: Uint8Array, view: DataView, start: number, end: number, age: Millis, free: boolean): void {
    const { database, flood, own, emit } = this.#parts;
    const head = readHead(view, start);
    const record = database.at(head.high, head.low);
    if (record !== undefined && !isOf(body, start, record.id)) {
      checkAdvertisement(body.subarray(start, end));
      emit({ type: "rejected", link: link.id, reason: "collision" });
      return;
    }
    if (record === own.record) {
      const raw = body.subarray(start, end);
      const layout = checkAdvertisement(raw);
      if (compareVersions(head, record) > 0 && !this.#isOwn(now, link, raw, layout, head, free)) return;
      if (own.heard(now, head, { boot: bootOf(raw), uptime: uptimeOf(raw) + age }) < 0) flood.answer(now, link, record);
      return;
    }
    if (record !== undefined) {
      const order = compareVersions(head, record);
      const older = order < 0 && !isReborn(now - age, record);
      if (older) flood.answer(now, link, record);
      else if (order === 0) flood.heard(link, record);
      if (older || (order === 0 && !revivable(record))) return;
    }
    if (age >= ROUTING.maxAge && (head.flags & ADVERTISEMENT_FLAG.withdrawn) === 0) {
      emit({ type: "rejected", link: link.id, reason: "too old" });
      return;
    }
    if (!free && !this.#admit(now, link, head)) return;
    this.#accept(now, link, body.slice(start, end), head, age, record);
  }

  /** R8: what a neighbour sends unasked is rationed; what is over is asked for later. */
  #admit(now: Instant, link: Link, head: AdvertisementHead): boolean {
    if (link.credit > 0) {
      link.credit--;
      return true;
    }
    if (link.bucket.take(now)) return true;
    this.#parts.flood.miss(now, link, head.high, head.low, head);
    this.#parts.emit({ type: "rejected", link: link.id, reason: "flood" });
    return false;
  }

  /** What was said in this node's name, and is newer than what it has said: it counts also where the certificate of that life has ended. */
  #isOwn(now: Instant, link: Link, raw: Uint8Array, layout: AdvertisementLayout, head: AdvertisementHead, free: boolean): boolean {
    if (this.#parts.signatures === undefined) return true;
    if (!free && !this.#admit(now, link, head)) return false;
    const forgery = this.#judged(raw, layout);
    if (forgery === undefined || forgery === "time") return true;
    this.#refuse(now, link, layout, forgery);
    return false;
  }

  #judged(raw: Uint8Array, layout: AdvertisementLayout): Forgery | undefined {
    const { signatures } = this.#parts;
    return signatures === undefined ? undefined : judgeAdvertisement(signatures, raw, layout);
  }

  /** Throws DENIED where a neighbour cannot prove what it says of itself, PROTOCOL_ERROR where it brings too much that others have not said. */
  #refuse(now: Instant, link: Link, { id }: AdvertisementLayout, forgery: Forgery): void {
    this.#parts.emit({ type: "rejected", link: link.id, reason: isFault(forgery) ? "forged" : "ended" });
    if (!isFault(forgery)) return;
    if (id === link.peer) {
      const why = `"${id}" cannot prove what it says of itself (${forgery}): in this mesh everybody needs a certificate of its authority`;
      throw new MeshError("DENIED", why, { data: { node: id, reason: forgery } });
    }
    if (link.forged.take(now)) return;
    throw new MeshError("PROTOCOL_ERROR", `"${link.peer}" passes on what others have not said`, { data: { node: id, reason: forgery } });
  }

  #accept(now: Instant, link: Link, raw: Uint8Array, head: AdvertisementHead, age: Millis, known: NodeRecord | undefined): void {
    const { database, flood, table, emit, topologyChanged } = this.#parts;
    const layout = checkAdvertisement(raw, known?.id);
    const { id } = layout;
    // Only what a neighbour says of itself is read in full at once; what is behind it was read by its own neighbours.
    if (id === link.peer) decodeAdvertisement(raw);
    const forgery = this.#judged(raw, layout);
    if (forgery !== undefined) return this.#refuse(now, link, layout, forgery);
    const withdrawn = (head.flags & ADVERTISEMENT_FLAG.withdrawn) !== 0;
    if (known === undefined && withdrawn && (head.flags & ADVERTISEMENT_FLAG.ephemeral) !== 0) return;
    if (!withdrawn && known?.live !== true && database.full) {
      emit({ type: "rejected", link: link.id, reason: "too many nodes" });
      return;
    }
    const record = known ?? database.create(id, head);
    const restarted = known !== undefined && known.boot !== head.boot;
    const said: Said = { ...head, raw, age };
    if (withdrawn) {
      const wasLive = record.live;
      database.bury(now, record, said);
      table.drop(record);
      if (wasLive) topologyChanged(now, record);
    } else {
      if (restarted) emit({ type: "restarted", node: id });
      if (database.put(now, record, said)) topologyChanged(now, record);
    }
    flood.relay(now, record, link, withdrawn);
  }
}

/**
 * Whether a node that was forgotten has lost its disk and begun again: it said a smaller number, and later. Nobody has what it had said
 * before, so nobody could tell it to count on from there.
 */
function isReborn(saidAt: Instant, record: NodeRecord): boolean {
  return !record.live && record.raw === undefined && saidAt > record.saidAt + ROUTING.rebirth;
}

/** Whether the very same advertisement may make a forgotten node live again: yes, unless it had said goodbye. */
function revivable(record: NodeRecord): boolean {
  return !record.live && !record.withdrawn;
}
