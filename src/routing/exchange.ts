import { MeshError } from "../core/errors.ts";
import type { Instant } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { BATCH_FLAG, BatchWriter, DIGEST_FLAG, type DigestEntry, encodeDigest, encodePull, PULL_FLAG, readDigest } from "../wire/digest.ts";
import { FRAME } from "../wire/frame.ts";
import type { Database } from "./database.ts";
import { ROUTING } from "./numbers.ts";
import { compareVersions, type NodeRecord } from "./record.ts";
import type { Emit, LinkId } from "./types.ts";

const ENTRIES_MAX = LIMITS.nodes + ROUTING.tombstones;

/**
 * What happens on a new link before it carries traffic (R6): each side sends a digest of what it knows, then, having read the other's,
 * everything that the other lacks, window by window, and an end mark. Bytes stay in order on a link, so a side that has
 * sent its mark and received the other's knows that both have finished.
 */
export class Exchange {
  readonly #link: LinkId;
  readonly #database: Database;
  readonly #emit: Emit;
  /** Where the other knows as much as we do, or more. */
  #covered: Set<NodeRecord> | undefined = new Set();
  readonly #queue = new Set<NodeRecord>();
  #sent = false;
  #received = false;
  #digested = 0;
  #taken = 0;
  #deadline: Instant;

  constructor(now: Instant, link: LinkId, database: Database, emit: Emit) {
    this.#link = link;
    this.#database = database;
    this.#emit = emit;
    this.#deadline = now + ROUTING.exchange;
    const entries: DigestEntry[] = [];
    for (const record of database.records()) if (shared(record)) entries.push(record);
    for (const body of encodeDigest(entries)) this.#emit({ type: "send", link, kind: FRAME.digest, body });
  }

  get done(): boolean {
    return this.#sent && this.#received;
  }

  /** Whether the other side is still sending its part. */
  get receiving(): boolean {
    return !this.#received;
  }

  /** When it has failed unless something comes. */
  get deadline(): Instant {
    return this.#deadline;
  }

  /** One page of the other's digest. Throws PROTOCOL_ERROR or TOO_LARGE. */
  onDigest(now: Instant, body: Uint8Array): void {
    const covered = this.#covered;
    if (covered === undefined) throw new MeshError("PROTOCOL_ERROR", "a second digest on one link");
    const flags = readDigest(body, (entry) => {
      if (++this.#digested > ENTRIES_MAX) throw tooLarge();
      this.#deadline = now + ROUTING.exchange;
      const record = this.#database.at(entry.high, entry.low);
      if (record !== undefined && compareVersions(entry, record) >= 0) covered.add(record);
    });
    if ((flags & DIGEST_FLAG.last) === 0) return;
    this.#covered = undefined;
    for (const record of this.#database.records()) if (shared(record) && !covered.has(record)) this.#queue.add(record);
    this.#push(now);
  }

  /** `record` is new; true where the other will hear of it in what this side still has to send. */
  add(record: NodeRecord): boolean {
    if (this.#sent || !shared(record)) return false;
    // Before the other's digest is whole, all that it lacks is still to be gathered.
    if (this.#covered !== undefined) this.#covered.delete(record);
    else this.#queue.add(record);
    return true;
  }

  /** The other has said the same as is stored. */
  heard(record: NodeRecord): void {
    this.#queue.delete(record);
  }

  /** The other has taken in a window. */
  onMore(now: Instant): void {
    if (this.#covered !== undefined || this.#sent) return;
    this.#deadline = now + ROUTING.exchange;
    this.#push(now);
  }

  /** One advertisement of the other's part has come. Throws TOO_LARGE. */
  onEntry(now: Instant): void {
    if (++this.#taken > ENTRIES_MAX) throw tooLarge();
    this.#deadline = now + ROUTING.exchange;
  }

  /** The flags of a body of the other's part, after its entries. */
  onBatch(flags: number): void {
    if ((flags & BATCH_FLAG.end) !== 0) this.#received = true;
    else if ((flags & BATCH_FLAG.more) !== 0) {
      this.#emit({ type: "send", link: this.#link, kind: FRAME.pull, body: encodePull(PULL_FLAG.more, []) });
    }
  }

  #push(now: Instant): void {
    const writer = new BatchWriter(BATCH_FLAG.exchange);
    let bytes = 0;
    for (const record of this.#queue) {
      this.#queue.delete(record);
      if (record.raw === undefined) continue;
      writer.add(record.raw, now - record.saidAt);
      bytes += record.raw.length;
      if (bytes >= ROUTING.exchangeWindow) break;
    }
    this.#sent = this.#queue.size === 0;
    for (const body of writer.finish(this.#sent ? BATCH_FLAG.end : BATCH_FLAG.more)) {
      this.#emit({ type: "send", link: this.#link, kind: FRAME.advertisements, body });
    }
  }
}

/** Ephemeral nodes that are gone are nobody's concern any more. */
function shared(record: NodeRecord): boolean {
  return record.raw !== undefined && (record.live || !record.ephemeral);
}

function tooLarge(): MeshError {
  return new MeshError("TOO_LARGE", `an exchange of more than ${ENTRIES_MAX} nodes`);
}
