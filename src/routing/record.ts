import { isMeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import { type Advertisement, decodeAdvertisement, decodeEnvelope } from "../wire/advertisement.ts";
import { ADVERTISEMENT_FLAG, NO_TRANSIT } from "../wire/advertisement-layout.ts";
import type { Hold } from "./hold.ts";
import type { LinkId } from "./types.ts";

/** What orders two advertisements of one node. `boot`, its first 32 bits, decides where two processes said the same numbers. */
export interface Version {
  readonly epoch: number;
  readonly sequence: number;
  readonly boot: number;
}

/** Below 0 where `a` is older than `b`, above 0 where it is newer. */
export function compareVersions(a: Version, b: Version): number {
  return a.epoch - b.epoch || a.sequence - b.sequence || a.boot - b.boot;
}

/** No link. */
export const NO_LINK: LinkId = -1;

/** One node of the database: what it said last, its place in the graph, and the way to it. */
export class NodeRecord implements Version {
  readonly id: NodeId;
  readonly high: number;
  readonly low: number;

  epoch = 0;
  sequence = 0;
  boot = 0;
  flags = 0;
  /** As it came, to be flooded on; undefined in most tombstones. */
  raw: Uint8Array | undefined;
  #decoded: Advertisement | undefined;
  /** When its origin said it, on this node's clock. */
  saidAt: Instant = 0;
  /** When it must be looked at: aged out, or, as a tombstone, forgotten. */
  deadline: Instant = 0;
  live = false;

  /** Place in the graph; -1 while not live. */
  index = -1;
  /** Row of the table; -1 while there is none. */
  row = -1;
  /** Last graph update that visited it. */
  stamp = 0;

  /** The way to it; cost in thousandths, Infinity where there is none. */
  nextLink: LinkId = NO_LINK;
  via: NodeRecord | undefined;
  cost = Number.POSITIVE_INFINITY;
  hops = 0;

  /** When it was last flooded on, and, in a storm, how far apart that may be. */
  floodedAt: Instant = Number.NEGATIVE_INFINITY;
  hold: Hold | undefined;

  constructor(id: NodeId, high: number, low: number) {
    this.id = id;
    this.high = high;
    this.low = low;
  }

  get reachable(): boolean {
    return this.cost !== Number.POSITIVE_INFINITY;
  }

  get withdrawn(): boolean {
    return (this.flags & ADVERTISEMENT_FLAG.withdrawn) !== 0;
  }

  get ephemeral(): boolean {
    return (this.flags & ADVERTISEMENT_FLAG.ephemeral) !== 0;
  }

  /** Whether traffic of others may pass through it. */
  get transit(): boolean {
    return (this.flags & NO_TRANSIT) === 0;
  }

  /** Decoded when first asked for; undefined where the bytes are gone. */
  get advertisement(): Advertisement | undefined {
    if (this.raw === undefined) return undefined;
    this.#decoded ??= decodeOrEnvelope(this.raw);
    return this.#decoded;
  }

  replace(version: Version, flags: number, raw: Uint8Array | undefined): void {
    this.epoch = version.epoch;
    this.sequence = version.sequence;
    this.boot = version.boot;
    this.flags = flags;
    this.forget(raw);
  }

  /** Keeps `raw`, if anything, and drops what was decoded. */
  forget(raw?: Uint8Array): void {
    this.raw = raw;
    this.#decoded = undefined;
  }
}

/** The first hop refuses a body that cannot be read; where one comes from further away a relay has spoilt it, and the links still count. */
function decodeOrEnvelope(raw: Uint8Array): Advertisement {
  try {
    return decodeAdvertisement(raw);
  } catch (error) {
    if (!isMeshError(error)) throw error;
    return decodeEnvelope(raw);
  }
}
