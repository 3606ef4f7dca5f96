import { isMeshError } from "../core/errors.ts";
import type { Instant, Random } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { type Advertisement, encodeAdvertisement } from "../wire/advertisement.ts";
import { bootLife, readHead } from "../wire/advertisement-layout.ts";
import { signAdvertisement } from "../wire/advertisement-signature.ts";
import type { Database } from "./database.ts";
import { Duplicates, type Process } from "./duplicates.ts";
import { Hold } from "./hold.ts";
import { ROUTING, scaled } from "./numbers.ts";
import type { Signatures } from "./proof.ts";
import { compareVersions, type NodeRecord, type Version } from "./record.ts";
import type { Emit, LocalChange, RoutingOptions } from "./types.ts";

const COUNTER_MAX = 2 ** 48 - 1;

/** Links as they are advertised. */
export type AdvertisedLinks = Advertisement["links"];

/** This node's own advertisement: what it says, when it says it anew, and how it takes its name back (R2, R3, R7). */
export class OwnNode {
  readonly record: NodeRecord;
  readonly #prefix: number;
  readonly #random: Random;
  readonly #emit: Emit;
  readonly #database: Database;
  readonly #duplicates: Duplicates;
  readonly #hold = new Hold();
  readonly #signatures: Signatures | undefined;
  #next: Advertisement;
  /** What the last one said, but for its numbers. */
  #content = "";
  #credentials: Advertisement["credentials"];
  #startedAt: Instant | undefined;
  #saidAt: Instant = 0;
  #refreshAt: Instant = Number.POSITIVE_INFINITY;
  /** To be said anew as soon as the hold allows; the second, for the load, has time. */
  #dirty = false;
  #loadDirty = false;
  /** The greatest version that was said in this node's name and is not its own. */
  #above: Version | undefined;
  #silent = false;

  constructor(options: RoutingOptions, record: NodeRecord, database: Database, emit: Emit) {
    this.record = record;
    this.#prefix = bootLife(options.boot);
    this.#random = options.random;
    this.#emit = emit;
    this.#database = database;
    this.#duplicates = new Duplicates(options.recentBoots);
    this.#signatures = options.signatures;
    this.#next = {
      node: options.id,
      epoch: options.epoch,
      sequence: (options.sequence ?? 0) + 1,
      boot: options.boot,
      uptime: 0,
      links: [],
      groups: options.groups,
      plugins: [],
      load: { running: 0, queued: 0 },
      leaf: options.leaf,
      draining: false,
      ephemeral: options.ephemeral,
      withdrawn: false,
      version: options.version,
    };
    this.#store(0);
  }

  start(now: Instant): void {
    if (this.#startedAt !== undefined) return;
    this.#startedAt = now;
    this.record.saidAt = now;
    this.#spoke(now);
  }

  change(change: LocalChange): void {
    const { load, ...rest } = change;
    if (load !== undefined) this.#loadDirty = true;
    if (Object.keys(rest).length > 0) this.#dirty = true;
    this.#next = { ...this.#next, ...change };
  }

  /** Something that it says, such as its links, may have changed. */
  touch(): void {
    this.#dirty = true;
  }

  get nextWake(): Instant | undefined {
    if (this.#silent) return undefined;
    if (this.#dirty || this.#above !== undefined) return Math.min(this.#refreshAt, this.#hold.readyAt);
    if (this.#loadDirty) return Math.min(this.#refreshAt, Math.max(this.#hold.readyAt, this.#saidAt + ROUTING.load));
    return this.#refreshAt;
  }

  /** Says it anew where there is something to say and it is time; true where it did, and `record` is to be flooded. */
  advertise(now: Instant, links: () => AdvertisedLinks): boolean {
    const due = this.nextWake;
    if (due === undefined || due > now) return false;
    this.#next = { ...this.#next, links: links() };
    this.#dirty = false;
    this.#loadDirty = false;
    const changed = contentOf(this.#next) !== this.#content || this.#signatures?.credentials !== this.#credentials;
    if (!changed && now < this.#refreshAt && this.#above === undefined) return false;
    this.#raise(now);
    this.#store(now);
    this.#spoke(now);
    this.#hold.passed(now, scaled(ROUTING.holdMaximum, ROUTING.holdPerNode, this.#database.size));
    return true;
  }

  /** Says goodbye; true where it did. */
  withdraw(now: Instant): boolean {
    if (this.#silent) return false;
    this.#next = { ...this.#next, links: [], withdrawn: true };
    this.#raise(now);
    this.#store(now);
    this.#silent = true;
    return true;
  }

  /**
   * This node's id was heard; `process` is who said it. Below 0 where it is older than what this node says, 0 where
   * it is the same; where it is newer it will be refuted (R3), or this node leaves (R4).
   */
  heard(now: Instant, version: Version, process: Process): number {
    const order = compareVersions(version, this.record);
    if (order <= 0 || this.#silent) return order;
    if (this.#duplicates.live(now, version.boot)) {
      const own = { boot: this.#next.boot, uptime: this.#uptime(now) };
      if (this.#duplicates.isLater(own, process)) {
        this.#silent = true;
        this.#emit({ type: "duplicate", node: this.record.id, boot: process.boot });
        return order;
      }
    }
    if (this.#above === undefined || compareVersions(version, this.#above) > 0) {
      this.#above = { epoch: version.epoch, sequence: version.sequence, boot: version.boot };
    }
    return order;
  }

  #raise(now: Instant): void {
    let { epoch, sequence } = this.#next;
    const above = this.#above;
    this.#above = undefined;
    const refute = above !== undefined && compareVersions(above, this.record) > 0;
    if (refute && above.boot === this.#prefix) {
      ({ epoch, sequence } = above);
    } else if (refute) {
      epoch = Math.min(COUNTER_MAX, above.epoch + 1);
      sequence = 0;
      this.#duplicates.refuted(now, above.boot);
    }
    sequence = Math.min(COUNTER_MAX, sequence + 1);
    this.#next = { ...this.#next, epoch, sequence, uptime: this.#uptime(now) };
    if (refute) this.#emit({ type: "persist", epoch, sequence });
  }

  #store(now: Instant): void {
    this.#content = contentOf(this.#next);
    this.#credentials = this.#signatures?.credentials;
    const raw = this.#encode();
    const head = readHead(new DataView(raw.buffer, raw.byteOffset, raw.byteLength), 0);
    this.#database.put(now, this.record, { ...head, raw, age: 0 });
    this.record.deadline = Number.POSITIVE_INFINITY;
  }

  #encode(): Uint8Array {
    const signatures = this.#signatures;
    if (signatures === undefined) return encodeFitting(this.#next);
    return signAdvertisement(encodeFitting({ ...this.#next, credentials: signatures.credentials }), (bytes) => signatures.sign(bytes));
  }

  #spoke(now: Instant): void {
    this.#saidAt = now;
    this.#refreshAt = now + ROUTING.refresh * (1 + ROUTING.refreshJitter * (2 * this.#random() - 1));
  }

  #uptime(now: Instant): number {
    return now - (this.#startedAt ?? now);
  }
}

function contentOf({ links, groups, plugins, load, leaf, draining }: Advertisement): string {
  return JSON.stringify([links, groups, plugins, load, leaf, draining]);
}

/** Where it is too large it goes without its last plugins, then its last groups, then its last links: a node must stay reachable. */
function encodeFitting(advertisement: Advertisement): Uint8Array {
  let { plugins, groups } = advertisement;
  let links = advertisement.links.slice(0, LIMITS.linksPerNode);
  for (;;) {
    try {
      return encodeAdvertisement({ ...advertisement, plugins, groups, links });
    } catch (error) {
      if (!isMeshError(error, "TOO_LARGE")) throw error;
      if (plugins.length > 0) plugins = plugins.slice(0, -1);
      else if (groups.length > 0) groups = groups.slice(0, -1);
      else links = links.slice(0, -1);
    }
  }
}
