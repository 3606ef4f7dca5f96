import { Delivery } from "../../delivery/delivery.ts";
import type { DeliveryPort, DestinationEvents, OriginEvents, RecordKind } from "../../delivery/ports.ts";
import type { EchoFacts, EchoReply } from "../../delivery/echo.ts";
import { isMeshError, MeshError, toMeshError } from "../../core/errors.ts";
import type { MessageId, NodeId } from "../../core/ids.ts";
import type { Instant } from "../../core/instant.ts";
import { TIMES } from "../../core/limits.ts";
import { hashNodeId, isSameHash, type NodeHash } from "../../core/node-hash.ts";
import { Routing } from "../../routing/machine.ts";
import type { LocalChange, RoutingEffect, RoutingInput } from "../../routing/types.ts";
import { REMEMBERED } from "../../sealing/session.ts";
import type { FrameView, Sealing, Unopened } from "../../sealing/sealing.ts";
import { FRAME, OFFSET, word } from "../../wire/frame.ts";
import type { Pipe } from "../../transports/transport.ts";
import { Agenda, type Wakeable } from "./agenda.ts";
import type { Environment } from "./environment.ts";
import { asks, createSealing, isSealed } from "./end-to-end.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { Link } from "./link.ts";
import { Links } from "./links.ts";
import { Loopback } from "./loopback.ts";
import type { Brought } from "./backpressure.ts";
import { Transit } from "./transit.ts";

/** What the engine tells the program around it. */
export interface EngineEvents {
  onNode(type: "node-up" | "node-down", node: NodeId): void;
  onLink(type: "link-up" | "link-down", link: Link, reason: MeshError | undefined): void;
  onRoutes(): void;
  /** So many messages for one node wait here, on the disk; `ids` may be called during the call. */
  onParked(destination: NodeHash, messages: number, ids: () => readonly MessageId[]): void;
  onExpired(id: MessageId, destination: NodeHash): void;
  onEchoReply(id: MessageId, reply: EchoReply): void;
  /** This node must stop: another live one has its id. */
  onFatal(error: MeshError): void;
  onWarning(message: string, error: MeshError): void;
  /** So many records of delivery cannot be read, or are not there any more. */
  onLost(kind: RecordKind, count: number, why: string): void;
  /** A configured peer could not be reached, or refused. */
  onPeerFailed(url: string, error: MeshError): void;
  /** A frame for this node was not taken: it is not sealed as it must be. */
  onUnopened(why: Unopened, source: NodeId | undefined): void;
  /** This node ended a session: it never came up, or the peer did what it may not. */
  onCutOff(link: Link, reason: MeshError): void;
  /** A connection was closed at once, as too many have not shown who they are. */
  onTurnedAway(): void;
  /** The body of a frame that came from afar was wrong. */
  onBadBody(error: MeshError): void;
  /** To be stored before this node advertises more. */
  onPersist(epoch: number): void;
}

/** Who of those with a certificate may have a link; in a mesh with an authority. */
export interface LinkGuard {
  refuse(link: Link): MeshError | undefined;
  onUp(link: Link): void;
  /** A frame of kind `denied`. Throws where the neighbour must be cut off. */
  onFrame(link: Link, body: Uint8Array): void;
}

export interface EngineHandlers {
  readonly events: EngineEvents;
  readonly origin: OriginEvents;
  readonly destination: DestinationEvents;
  readonly facts: () => EchoFacts;
  /** Undefined: whoever may connect may have a link. */
  readonly guard?: LinkGuard | undefined;
}

/** Things that happened, counted; read when metrics are scraped. */
export interface EngineCounts {
  framesIn: number;
  bytesIn: number;
  badBodies: number;
  rejectedAdvertisements: number;
  /** Of these: what their origin has not said. */
  forgedAdvertisements: number;
  droppedFrames: number;
}

/**
 * The node without its outside: links, routing and delivery, each a machine of its own, joined here. Everything in it runs in the
 * call of an input; what leaves is gathered and sent at the end of the tick.
 */
export class Engine {
  readonly id: NodeId;
  readonly routing: Routing;
  readonly delivery: Delivery;
  readonly links: Links;
  readonly agenda: Agenda;
  readonly counts: EngineCounts = {
    framesIn: 0,
    bytesIn: 0,
    badBodies: 0,
    rejectedAdvertisements: 0,
    forgedAdvertisements: 0,
    droppedFrames: 0,
  };
  readonly #env: Environment;
  readonly #handlers: EngineHandlers;
  readonly #self: NodeHash;
  readonly #life: number;
  readonly #store: number;
  readonly #loopback: Loopback;
  readonly #sealing: Sealing | undefined;
  readonly #transit: Transit | undefined;
  readonly #routingPart: Wakeable;
  readonly #deliveryPart: Wakeable;
  #flushDue = false;
  #stopped = false;

  constructor(options: EngineOptions, env: Environment, handlers: EngineHandlers) {
    this.id = options.id;
    this.#env = env;
    this.#handlers = handlers;
    this.#self = hashNodeId(options.id);
    this.#life = lifeOf(options.boot);
    this.#store = storeOf(options.boot);
    this.agenda = new Agenda(env, () => this.#flush());
    this.#loopback = new Loopback((frame, view) => this.#receive(env.now(), frame, view, 0, frame.length));
    this.routing = new Routing({ ...options, random: env.random });
    this.links = new Links(options, env, this.agenda, {
      onFrame: (link, kind, body) =>
        kind === FRAME.denied ? this.#guarded(link, body) : this.step({ type: "frame", link: link.id, kind, body }),
      onRouted: (now, link, bytes, view, start, end) => this.#routed(now, link, bytes, view, start, end),
      onUp: (link) => {
        handlers.guard?.onUp(link);
        this.step({ type: "link-up", link: link.id, peer: link.peer, cost: link.cost, ephemeral: link.ephemeral });
      },
      refuse: (link) => handlers.guard?.refuse(link),
      onDown: (link, reason) => this.#linkDown(link, reason),
      onWritable: () => this.#writable(),
      onDropped: () => this.counts.droppedFrames++,
      onFatal: (error) => handlers.events.onFatal(error),
      onRefused: (url, error) => handlers.events.onPeerFailed(url, error),
      onCutOff: (link, reason) => handlers.events.onCutOff(link, reason),
      onTurnedAway: () => handlers.events.onTurnedAway(),
      markDirty: () => this.#schedule(),
    });
    this.#transit = options.transit === undefined ? undefined : new Transit(options.transit);
    this.#sealing = createSealing(options, env, {
      routing: this.routing,
      onUnopened: (why, source) => handlers.events.onUnopened(why, source),
      onUnknownSession: (to) => this.delivery.sayUnopened(to),
    });
    this.delivery = new Delivery(
      {
        self: options.id,
        life: this.#life,
        store: this.#store,
        parks: !options.leaf && !options.ephemeral,
        park: { messages: options.store.maxMessages, bytes: options.store.maxBytes },
        retention: options.retention,
        randomBytes: (count) => env.randomBytes(count),
        clock: () => env.now(),
        keepersBind: this.#sealing === undefined,
        late: this.#sealing === undefined ? { seen: TIMES.late, journal: TIMES.late } : REMEMBERED,
      },
      this.#port(),
      {
        origin: handlers.origin,
        destination: handlers.destination,
        park: {
          onParked: (destination, messages, ids) => handlers.events.onParked(destination, messages, ids),
          onExpired: (id, destination) => handlers.events.onExpired(id, destination),
          onTrouble: (error) => handlers.events.onWarning("the store of parked messages has trouble", error),
        },
        disk: { onLost: (kind, count, why) => handlers.events.onLost(kind, count, why) },
        echo: { facts: handlers.facts, onReply: (id, reply) => handlers.events.onEchoReply(id, reply) },
      },
    );
    this.#routingPart = { nextWake: () => this.routing.nextWake(), wake: () => this.step({ type: "wake" }) };
    this.#deliveryPart = {
      nextWake: () => this.delivery.nextWake(),
      wake: (now) => {
        this.delivery.wake(now);
        this.#schedule();
      },
    };
    this.agenda.touch(this.#routingPart);
  }

  now(): Instant {
    return this.#env.now();
  }

  /** Reads the store, and says again what waits here. */
  restore(done: (error: MeshError | undefined) => void): void {
    this.delivery.restore((error) => {
      this.#schedule();
      done(error);
    });
  }

  accept(pipe: Pipe, url: string, cost: number): void {
    this.links.accept(pipe, url, cost);
  }

  advertise(change: LocalChange): void {
    this.step({ type: "local", change });
  }

  /** Hands an input to routing and does what it asks. */
  step(input: RoutingInput): void {
    if (this.#stopped) return;
    const effects = this.routing.step(this.#env.now(), input);
    for (const effect of effects) this.#apply(effect);
    this.agenda.touch(this.#routingPart);
    // Most of what a flood brings is known already, and asks for nothing.
    if (effects.length > 0) this.#schedule();
  }

  /** Something was put into delivery by a call rather than by a frame. */
  poke(): void {
    this.#schedule();
  }

  /** Says goodbye to everyone and closes all links. */
  stop(): void {
    if (this.#stopped) return;
    this.step({ type: "withdraw" });
    this.#flush();
    this.#stopped = true;
    this.links.closeAll();
    this.agenda.stop();
  }

  #port(): DeliveryPort {
    return {
      records: this.#env.store,
      wallClock: () => this.#env.wallClock(),
      transmit: (frame, start, end) => this.#transmit(frame, start, end),
      handOver: (frame) => this.#leave(frame, 0, frame.length, this.links.firstUp()),
      hasRoute: (high, low) => this.#isSelf(high, low) || this.routing.nextHop(high, low) !== undefined,
      congested: (high, low) => this.#ownWayTo(high, low)?.session.congested ?? false,
      silent: (high, low, waited) => this.routing.detours.silent(this.#env.now(), high, low, waited),
      lifeOf: (high, low) => (this.#isSelf(high, low) ? this.#life : this.#bootOf(high, low, lifeOf)),
      storeOf: (high, low) => (this.#isSelf(high, low) ? this.#store : this.#bootOf(high, low, storeOf)),
      nodeOf: (high, low) => this.routing.idOf(high, low),
      denied: ({ high, low }) => this.#denied(this.routing.idOf(high, low) ?? "a node that is not known here"),
      markDirty: () => this.#schedule(),
    };
  }

  #isSelf(high: number, low: number): boolean {
    return high === this.#self.high && low === this.#self.low;
  }

  #linkTo(high: number, low: number): Link | undefined {
    const id = this.routing.nextHop(high, low);
    return id === undefined ? undefined : this.links.get(id);
  }

  #bootOf(high: number, low: number, read: (boot: string) => number): number {
    const node = this.routing.idOf(high, low);
    const boot = node === undefined ? undefined : this.routing.advertisement(node)?.boot;
    return boot === undefined ? 0 : read(boot);
  }

  #transmit(frame: Uint8Array, start: number, end: number): boolean {
    const high = word(frame, start + OFFSET.destination);
    const low = word(frame, start + OFFSET.destination + 4);
    if (this.#isSelf(high, low)) {
      this.#loopback.push(frame.slice(start, end));
      this.#schedule();
      return true;
    }
    if (!this.#begins(frame, start)) return this.#leave(frame, start, end, this.#linkTo(high, low));
    const link = this.#ownWayTo(high, low);
    const left = this.#leave(frame, start, end, link);
    link?.session.hasten(end - start);
    return left;
  }

  /** Whether the frame is one that this node says now, and not one that it carries, or that has come back to it. */
  #begins(frame: Uint8Array, start: number): boolean {
    return this.#isOwn(frame, start) && frame[start + OFFSET.hops] === 0;
  }

  #ownWayTo(high: number, low: number): Link | undefined {
    const { detours } = this.routing;
    if (!detours.any) return this.#linkTo(high, low);
    const id = detours.next(this.#env.now(), high, low);
    return id === undefined ? undefined : this.links.get(id);
  }

  /** What this node says to another leaves sealed; what it carries for others is theirs. */
  #leave(frame: Uint8Array, start: number, end: number, link: Link | undefined): boolean {
    if (link === undefined) return false;
    if (this.#sealing === undefined || isSealed(frame, start) || !this.#isOwn(frame, start))
      return link.session.sendRouted(frame, start, end);
    const sealed = this.#sealing.seal(this.#env.now(), frame, start, end);
    return sealed !== undefined && link.session.sendRouted(sealed.bytes, sealed.start, sealed.end);
  }

  /** A frame that says that it is of this node. */
  #isOwn(frame: Uint8Array, start: number): boolean {
    return this.#isSelf(word(frame, start + OFFSET.source), word(frame, start + OFFSET.source + 4));
  }

  get #seals(): boolean {
    return this.#sealing !== undefined && this.#sealing.mode !== "off";
  }

  #routed(now: Instant, link: Link, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    this.counts.framesIn++;
    this.counts.bytesIn += end - start;
    const high = view.getUint32(start + OFFSET.destination);
    const low = view.getUint32(start + OFFSET.destination + 4);
    const here = this.#isSelf(high, low);
    // What this node says to itself never leaves it, and what it says to others never unsealed: somebody pretends to be it.
    if ((here || this.#seals) && this.#isOwn(bytes, start) && (here || !isSealed(bytes, start))) return this.#impostor(link);
    if (here) return this.#arrived(now, link, { bytes, view, start, end });
    this.#receive(now, bytes, view, start, end);
    if (this.#transit?.carried(now, link, end - start) === true) this.agenda.touch(this.#transit);
    const onward = this.#linkTo(high, low);
    if (onward?.session.congested === true) this.links.brought(now, link, onward, this.#whatIs(link, bytes, start));
  }

  #whatIs({ peer }: Link, frame: Uint8Array, start: number): Brought {
    if (frame[start + OFFSET.kind] !== FRAME.message) return "other";
    const source = { high: word(frame, start + OFFSET.source), low: word(frame, start + OFFSET.source + 4) };
    return isSameHash(hashNodeId(peer), source) ? "own" : "message";
  }

  /** A frame for this node has come to the end of its way. */
  #arrived(now: Instant, link: Link, frame: FrameView): void {
    try {
      const opened = this.#sealing === undefined ? frame : this.#sealing.open(now, link.rates, frame);
      if (opened === undefined) return;
      const source = opened.start + OFFSET.source;
      this.routing.detours.heard(now, opened.view.getUint32(source), opened.view.getUint32(source + 4), link.id, asks(opened));
      this.#receive(now, opened.bytes, opened.view, opened.start, opened.end);
    } catch (error) {
      this.#badBody(error);
    }
  }

  #impostor({ peer }: Link): void {
    this.counts.badBodies++;
    this.#handlers.events.onBadBody(new MeshError("DENIED", `a frame in this node's own name came from ${peer}`, { data: { node: peer } }));
  }

  #denied(node: string): void {
    this.counts.badBodies++;
    this.#handlers.events.onBadBody(new MeshError("DENIED", `${node} has spoken of what is another's`, { data: { node } }));
  }

  #receive(now: Instant, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    try {
      this.delivery.receive(now, bytes, view, start, end);
    } catch (error) {
      this.#badBody(error);
    }
    this.#schedule();
  }

  /** It was written by a node far away: nothing against the link that it came by. */
  #badBody(error: unknown): void {
    this.counts.badBodies++;
    if (isMeshError(error)) this.#handlers.events.onBadBody(error);
    else this.#handlers.events.onWarning("a frame could not be handled", toMeshError(error));
  }

  #guarded(link: Link, body: Uint8Array): void {
    try {
      this.#handlers.guard?.onFrame(link, body);
    } catch (error) {
      this.links.close(link.id, toMeshError(error));
    }
  }

  #linkDown(link: Link, reason: MeshError | undefined): void {
    this.#transit?.forget(link);
    this.step({ type: "link-down", link: link.id });
    if (link.adjacent) this.#handlers.events.onLink("link-down", link, reason);
  }

  #writable(): void {
    this.delivery.writable();
    this.#schedule();
  }

  #apply(effect: RoutingEffect): void {
    const { events } = this.#handlers;
    switch (effect.type) {
      case "send":
        this.links.get(effect.link)?.session.sendLink(effect.kind, effect.body);
        return;
      case "persist":
        return events.onPersist(effect.epoch);
      case "adjacent": {
        const link = this.links.get(effect.link);
        if (link === undefined) return;
        link.adjacent = true;
        return events.onLink("link-up", link, undefined);
      }
      case "routes-changed":
        this.delivery.routesChanged(this.#env.now());
        return events.onRoutes();
      case "node-up":
      case "node-down":
        this.#renew(effect.node);
        return events.onNode(effect.type, effect.node);
      case "restarted":
        this.#renew(effect.node);
        return this.delivery.restarted(this.#env.now(), effect.node);
      case "duplicate":
        return events.onFatal(
          new MeshError("DUPLICATE_NODE", `another live node has the id ${effect.node}`, { data: { node: effect.node } }),
        );
      case "violation":
        this.links.close(effect.link, effect.error);
        return;
      case "rejected":
        this.counts.rejectedAdvertisements++;
        if (effect.reason === "forged") this.counts.forgedAdvertisements++;
        return;
    }
  }

  /** What was agreed with another life of that node does not hold any more. */
  #renew(node: NodeId): void {
    const { high, low } = hashNodeId(node);
    this.#sealing?.sending.forget(high, low);
  }

  /** Certificates were revoked, or authorities changed: whoever says something is judged anew. */
  judgeAnew(): void {
    this.#sealing?.receiving.clear();
  }

  #schedule(): void {
    if (this.#flushDue || this.#stopped) return;
    this.#flushDue = true;
    this.#env.soon(() => this.#flush());
  }

  #flush(): void {
    this.#flushDue = false;
    if (this.#stopped) return;
    const now = this.#env.now();
    this.delivery.flush(now);
    this.#loopback.drain();
    this.links.flush(now);
    this.agenda.touch(this.#deliveryPart);
  }
}

/** The part of a boot id that names the node's store. */
function storeOf(boot: string): number {
  return Number.parseInt(boot.slice(0, 8), 16);
}

/** A part of a boot id that is new in each life. */
function lifeOf(boot: string): number {
  // Each message asks, and most are for one node.
  if (boot !== asked.boot) asked = { boot, life: Number.parseInt(boot.slice(8, 16), 16) };
  return asked.life;
}

let asked = { boot: "", life: 0 };
