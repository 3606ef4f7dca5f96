import { MeshError, toMeshError } from "../core/errors.ts";
import { isNodeId, type NodeId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import type { Machine } from "../core/machine.ts";
import { hashNodeId } from "../core/node-hash.ts";
import type { Advertisement } from "../wire/advertisement.ts";
import { PULL_FLAG } from "../wire/digest.ts";
import { FRAME } from "../wire/frame.ts";
import { AdvertisedLinkChoice } from "./advertised-links.ts";
import { Database } from "./database.ts";
import { Debounce } from "./debounce.ts";
import { Detours } from "./detours.ts";
import { Exchange } from "./exchange.ts";
import { Flood } from "./flood.ts";
import { Groups } from "./groups.ts";
import { Intake } from "./intake.ts";
import { Link, Links } from "./links.ts";
import { NO_LINK, type NodeRecord, type Version } from "./record.ts";
import { OwnNode } from "./self.ts";
import { Table } from "./table.ts";
import type { Edge, LinkId, Member, Route, RoutingEffect, RoutingInput, RoutingOptions } from "./types.ts";

export type * from "./types.ts";

const NOTHING: readonly RoutingEffect[] = [];

type LinkUp = Extract<RoutingInput, { type: "link-up" }>;
type Frame = Extract<RoutingInput, { type: "frame" }>;

/**
 * Link-state routing: learns what every node says of itself, and computes the next hop to each. SPEC.md has the rules. All of one
 * step's effects are to be carried out in order; a `persist` must be on its way to the disk before the sends behind it.
 */
export class Routing implements Machine<RoutingInput, RoutingEffect> {
  readonly #database = new Database();
  readonly #links = new Links();
  readonly #debounce = new Debounce();
  readonly #own: OwnNode;
  readonly #table: Table;
  readonly #flood: Flood;
  readonly #intake: Intake;
  readonly #groups: Groups;
  readonly #choice: AdvertisedLinkChoice;
  /** Ways of this node's own frames round neighbours that swallow them. */
  readonly detours: Detours;
  /** Links whose exchange is under way. */
  readonly #joining = new Set<Link>();
  #effects: RoutingEffect[] = [];

  constructor(options: RoutingOptions) {
    const emit = (effect: RoutingEffect): void => void this.#effects.push(effect);
    const database = this.#database;
    const self = database.create(options.id, hashNodeId(options.id));
    this.#table = new Table(database, this.#links, self, emit);
    this.#own = new OwnNode(options, self, database, emit);
    this.#flood = new Flood(database, this.#links, emit);
    this.#groups = new Groups(database);
    this.detours = new Detours(database, this.#links, self);
    this.#choice = new AdvertisedLinkChoice(database, this.#links, self);
    this.#intake = new Intake({
      database,
      flood: this.#flood,
      own: this.#own,
      table: this.#table,
      emit,
      signatures: options.signatures,
      topologyChanged: (now, record) => this.#topologyChanged(now, record),
    });
  }

  /** Grows with each change of the table. */
  get routeVersion(): number {
    return this.#table.version;
  }

  /** Over which link a frame to the node with this hash goes on. Allocates nothing. */
  nextHop(high: number, low: number): LinkId | undefined {
    const record = this.#database.at(high, low);
    return record === undefined || record.nextLink === NO_LINK ? undefined : record.nextLink;
  }

  route(id: NodeId): Route | undefined {
    const record = this.#database.find(id);
    if (record?.via === undefined || record.nextLink === NO_LINK) return undefined;
    return { link: record.nextLink, nextHop: record.via.id, cost: record.cost / 1000, hops: record.hops };
  }

  /** The node with this hash, live or remembered; this node too. */
  idOf(high: number, low: number): NodeId | undefined {
    return this.#database.at(high, low)?.id;
  }

  /** What a live node says. */
  advertisement(id: NodeId): Advertisement | undefined {
    const record = this.#database.find(id);
    return record !== undefined && shown(record) ? record.advertisement : undefined;
  }

  /** Which of its advertisements is known of a live node; for those who ask often, since nothing is decoded for it. */
  version(id: NodeId): Version | undefined {
    const record = this.#database.find(id);
    return record !== undefined && shown(record) ? record : undefined;
  }

  /** Whether the node is live or was within the last hour. */
  known(id: NodeId): boolean {
    return this.#database.find(id) !== undefined;
  }

  /** Reachable members of the group, the nearest first, ties on node id; this node itself at cost 0. */
  members(group: string): readonly Member[] {
    return this.#groups.members(group, this.#table.version);
  }

  /** What every live node says, this one too. Ephemeral nodes count while they can be reached. */
  *nodes(): Generator<Advertisement> {
    for (const record of this.#database.graph.records) {
      if (record === undefined || !shown(record)) continue;
      const advertisement = record.advertisement;
      if (advertisement !== undefined) yield advertisement;
    }
  }

  /** The edges that both ends list; the greater cost counts. */
  edges(): readonly Edge[] {
    return this.#database.graph.edges();
  }

  step(now: Instant, input: RoutingInput): readonly RoutingEffect[] {
    this.#own.start(now);
    switch (input.type) {
      case "link-up":
        this.#linkUp(now, input);
        break;
      case "link-down":
        this.#linkDown(now, input.link);
        break;
      case "frame":
        this.#frame(now, input);
        break;
      case "local":
        this.#own.change(input.change);
        break;
      case "forget":
        this.#forget(now, input.node);
        break;
      case "withdraw":
        if (this.#own.withdraw(now)) this.#flood.relay(now, this.#own.record, undefined, true);
        this.#flood.flush(now, true);
        break;
      case "wake":
        break;
    }
    this.#run(now);
    const effects = this.#effects;
    if (effects.length === 0) return NOTHING;
    this.#effects = [];
    return effects;
  }

  nextWake(): Instant | undefined {
    let next = Number.POSITIVE_INFINITY;
    // What is too old waits for paths that are right.
    const look = this.#debounce.due ?? this.#database.nextSweep;
    for (const at of [look, this.#own.nextWake, this.#flood.nextWake, this.#choice.reviewAt]) {
      if (at !== undefined && at < next) next = at;
    }
    for (const link of this.#joining) next = Math.min(next, link.exchange?.deadline ?? next);
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  #linkUp(now: Instant, { link: id, peer, cost, ephemeral }: LinkUp): void {
    if (this.#links.get(id) !== undefined) this.#linkDown(now, id);
    const link = new Link(id, peer, cost, ephemeral);
    this.#links.add(link);
    if (peer === this.#own.record.id || !isNodeId(peer)) {
      this.#violation(now, link, new MeshError("DUPLICATE_NODE", `a peer has the id of this node, "${peer}"`));
    } else if (this.#links.size > LIMITS.linksPerNode) {
      this.#violation(now, link, new MeshError("TOO_LARGE", `more links than ${LIMITS.linksPerNode}`));
    } else {
      link.exchange = new Exchange(now, id, this.#database, (effect) => void this.#effects.push(effect));
      this.#joining.add(link);
    }
  }

  #linkDown(now: Instant, id: LinkId): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    this.#links.delete(id);
    this.#joining.delete(link);
    if (!link.adjacent) return;
    this.#lost(now, link);
    if (!link.ephemeral && this.#links.to(link.peer) === undefined) this.#choice.lost(now, link.peer);
  }

  /** The link carries no traffic any more. */
  #lost(now: Instant, link: Link): void {
    this.#links.changed();
    this.#table.invalidate(link.id);
    this.#debounce.urge(now, this.#database.size);
    this.#own.touch();
  }

  #frame(now: Instant, { link: id, kind, body }: Frame): void {
    const link = this.#links.get(id);
    if (link === undefined || link.closed) return;
    try {
      if (kind === FRAME.digest) link.exchange?.onDigest(now, body);
      else if (kind === FRAME.advertisements) this.#intake.onBatch(now, link, body);
      else if (kind === FRAME.pull && (this.#flood.onPull(now, link, body) & PULL_FLAG.more) !== 0) link.exchange?.onMore(now);
    } catch (error) {
      this.#violation(now, link, toMeshError(error));
      return;
    }
    if (link.adjacent || link.exchange?.done !== true) return;
    link.exchange = undefined;
    this.#joining.delete(link);
    link.adjacent = true;
    this.#links.changed();
    this.#effects.push({ type: "adjacent", link: id });
    this.#debounce.urge(now, this.#database.size);
    this.#own.touch();
  }

  #violation(now: Instant, link: Link, error: MeshError): void {
    link.closed = true;
    this.#joining.delete(link);
    if (link.adjacent) this.#lost(now, link);
    this.#effects.push({ type: "violation", link: link.id, error });
  }

  #topologyChanged(now: Instant, record: NodeRecord): void {
    if (this.#links.to(record.id) !== undefined) this.#debounce.urge(now, this.#database.size);
    else this.#debounce.request(now, this.#database.size);
  }

  /** Everything that is due. */
  #run(now: Instant): void {
    for (const link of this.#joining) {
      if (link.exchange !== undefined && link.exchange.deadline <= now) {
        this.#violation(now, link, new MeshError("TIMEOUT", `"${link.peer}" did not finish the exchange of routes`));
      }
    }
    this.#flood.wake(now);
    this.#compute(now);
    if (this.#debounce.due === undefined) this.#sweep(now);
    if (this.#choice.review(now)) this.#own.touch();
    if (this.#own.advertise(now, () => this.#choice.choose(now))) this.#flood.relay(now, this.#own.record, undefined, true);
    this.#flood.flush(now);
  }

  #compute(now: Instant): void {
    if (this.#debounce.due === undefined || this.#debounce.due > now) return;
    this.#debounce.ran(now, this.#database.size);
    this.#table.recompute(now);
    if (this.#choice.suppressing) this.#own.touch();
  }

  #forget(now: Instant, node: NodeId): void {
    const record = this.#database.find(node);
    if (record === undefined || !record.live || record === this.#own.record) return;
    this.#bury(now, record);
    this.#topologyChanged(now, record);
  }

  #bury(now: Instant, record: NodeRecord): void {
    this.#database.bury(now, record);
    this.#table.drop(record);
  }

  #sweep(now: Instant): void {
    if (this.#database.nextSweep === undefined || this.#database.nextSweep > now) return;
    for (const record of this.#database.sweep(now)) {
      this.#bury(now, record);
      this.#debounce.request(now, this.#database.size);
    }
  }
}

/** Whether the node is there for others to see. */
function shown(record: NodeRecord): boolean {
  return record.live && !record.withdrawn && (!record.ephemeral || record.reachable);
}
