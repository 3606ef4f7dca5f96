import type { NodeId } from "../core/ids.ts";
import { type NodeHash, NodeHashMap } from "../core/node-hash.ts";
import { TokenBucket } from "../core/token-bucket.ts";
import type { Instant } from "../core/instant.ts";
import { costToThousandths } from "../wire/advertisement-layout.ts";
import type { Exchange } from "./exchange.ts";
import { ROUTING } from "./numbers.ts";
import type { Version } from "./record.ts";
import type { LinkId } from "./types.ts";

/** What a neighbour sent beyond its allowance, to be asked for later. */
export interface Missed extends Version, NodeHash {}

/** One link of this node, and what its neighbour may still ask of it. */
export class Link {
  readonly id: LinkId;
  readonly peer: NodeId;
  /** This end's, in thousandths. */
  readonly cost: number;
  readonly ephemeral: boolean;
  /** The exchange is done: the link carries traffic. */
  adjacent = false;
  /** The peer broke the protocol; what still comes is ignored. */
  closed = false;
  exchange: Exchange | undefined;
  /** Unasked advertisements (R8). */
  readonly bucket = new TokenBucket(ROUTING.floodRate, ROUTING.floodBurst);
  #answers: TokenBucket | undefined;
  #pulls: TokenBucket | undefined;
  #forged: TokenBucket | undefined;
  #missed: NodeHashMap<Missed> | undefined;
  /** Advertisements that were asked for and are therefore free. */
  credit = 0;
  pulledAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(id: LinkId, peer: NodeId, cost: number, ephemeral: boolean) {
    this.id = id;
    this.peer = peer;
    this.cost = costToThousandths(cost);
    this.ephemeral = ephemeral;
  }

  // Made when first needed, which they seldom are: a node may have a thousand links.
  get answers(): TokenBucket {
    return (this.#answers ??= new TokenBucket(ROUTING.answerRate, ROUTING.answerBurst));
  }

  get pulls(): TokenBucket {
    return (this.#pulls ??= new TokenBucket(ROUTING.pullRate, ROUTING.pullRate));
  }

  /** What it brought that others had not said: it should have checked that. */
  get forged(): TokenBucket {
    return (this.#forged ??= new TokenBucket(ROUTING.forgedRate, ROUTING.forgedBurst));
  }

  get missed(): NodeHashMap<Missed> {
    return (this.#missed ??= new NodeHashMap());
  }

  /** Whether something is to be asked for later. */
  get misses(): boolean {
    return this.#missed !== undefined && this.#missed.size > 0;
  }

  /** Whether traffic may use it. */
  get usable(): boolean {
    return this.adjacent && !this.closed;
  }
}

export class Links {
  readonly #links = new Map<LinkId, Link>();
  #best: readonly Link[] | undefined;

  get size(): number {
    return this.#links.size;
  }

  get(id: LinkId): Link | undefined {
    return this.#links.get(id);
  }

  add(link: Link): void {
    this.#links.set(link.id, link);
  }

  delete(id: LinkId): void {
    this.#links.delete(id);
    this.changed();
  }

  values(): IterableIterator<Link> {
    return this.#links.values();
  }

  /** A link became usable, or stopped being so. */
  changed(): void {
    this.#best = undefined;
  }

  /** The link to use for each neighbour, in the order of their ids: the cheapest, then the newest. */
  best(): readonly Link[] {
    this.#best ??= this.#choose();
    return this.#best;
  }

  to(peer: NodeId): Link | undefined {
    return this.best().find((link) => link.peer === peer);
  }

  #choose(): readonly Link[] {
    const byPeer = new Map<NodeId, Link>();
    for (const link of this.#links.values()) {
      if (!link.usable) continue;
      const other = byPeer.get(link.peer);
      if (other === undefined || link.cost < other.cost || (link.cost === other.cost && link.id > other.id)) byPeer.set(link.peer, link);
    }
    return [...byPeer.values()].toSorted((a, b) => (a.peer < b.peer ? -1 : 1));
  }
}
