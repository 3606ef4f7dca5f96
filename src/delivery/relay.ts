import { MeshError } from "../core/errors.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { FLAG, FRAME, OFFSET } from "../wire/frame.ts";
import { readMessageId } from "../wire/message-id.ts";
import { decodeError, encodeNotice, type Notice } from "../wire/outcome.ts";
import { hashNodeId, isSameHash, type NodeHash, NodeHashMap } from "../core/node-hash.ts";
import { ROUTED_HEADER } from "../wire/frame.ts";
import type { Echo } from "./echo.ts";
import type { Frames } from "./frames.ts";
import type { Added, ParkQueue } from "./parking/park-queue.ts";
import type { Parked } from "./parking/parked.ts";
import type { DeliveryPort } from "./ports.ts";

/** Why frames went no further here, counted. */
export interface RelayCounts {
  forwarded: number;
  forwardedBytes: number;
  hopLimit: number;
  noRoute: number;
}

/** Sends on what is for others; parks messages that have no way onward, and tells their origin. */
export class Relay {
  readonly counts: RelayCounts = { forwarded: 0, forwardedBytes: 0, hopLimit: 0, noRoute: 0 };
  readonly #self: NodeId;
  readonly #hash: NodeHash;
  readonly #life: number;
  readonly #parks: boolean;
  readonly #port: DeliveryPort;
  readonly #frames: Frames;
  readonly #park: ParkQueue;
  readonly #echo: Echo;
  /** Whose messages waited here when this life began, who could not be told yet. */
  #untold = new NodeHashMap<NodeHash>();
  /** What is said of a message that waits, which is the same for many. */
  #waits: { readonly ttl: number; readonly body: Uint8Array } = { ttl: NaN, body: new Uint8Array(0) };

  constructor(
    options: { readonly self: NodeId; readonly life: number; readonly parks: boolean },
    rooms: { readonly port: DeliveryPort; readonly frames: Frames; readonly park: ParkQueue; readonly echo: Echo },
  ) {
    this.#self = options.self;
    this.#hash = hashNodeId(options.self);
    this.#life = options.life;
    this.#parks = options.parks;
    this.#port = rooms.port;
    this.#frames = rooms.frames;
    this.#park = rooms.park;
    this.#echo = rooms.echo;
  }

  /** The data path: patches the hop count in place and hands the frame to the next link. */
  forward(now: Instant, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const hops = view.getUint8(start + OFFSET.hops) + 1;
    if (hops > LIMITS.hops) return this.#tooFar(bytes, view, start);
    view.setUint8(start + OFFSET.hops, hops);
    if (view.getUint8(start + OFFSET.kind) === FRAME.message && this.#park.messages > 0 && this.#park.has(destinationOf(view, start))) {
      return this.#wait(now, bytes, view, start, end);
    }
    if (this.#port.transmit(bytes, start, end)) {
      this.counts.forwarded++;
      this.counts.forwardedBytes += end - start;
      return;
    }
    this.#wait(now, bytes, view, start, end);
  }

  /** A parked message of another node leaves: bound to the destination's present life, if its origin left it to us. */
  release(now: Instant, parked: Parked, frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const flags = view.getUint8(OFFSET.flags);
    // What is sealed nobody but its origin can bind.
    const sealed = (flags & FLAG.sealed) !== 0;
    const life = sealed ? view.getUint32(OFFSET.auxiliary) : this.#port.lifeOf(parked.destination.high, parked.destination.low);
    view.setUint8(OFFSET.flags, flags & ~FLAG.custody);
    if (parked.custody && !sealed) view.setUint32(OFFSET.auxiliary, life);
    if (!this.#port.transmit(frame, 0, frame.length)) return this.#parkAgain(now, parked, frame);
    if (parked.custody) this.tell(parked.source, frame, 0, { type: "released", node: this.#self, life });
  }

  /** Tells the origin what became of its message. */
  tell(origin: NodeHash, frame: Uint8Array, start: number, notice: Notice): void {
    this.#frames.send({ kind: FRAME.notice, to: origin, id: readMessageId(frame, start + OFFSET.id) }, encodeNotice(notice));
  }

  expired(parked: Parked): void {
    const error = new MeshError("EXPIRED", `the time to live ran out at ${this.#self}, where the message waited`, {
      data: { where: this.#self },
    });
    this.lost(parked, error);
  }

  /** Tells the origin of a message that it waits here no more. */
  lost(parked: Parked, error: MeshError): void {
    this.#frames.send({ kind: FRAME.notice, to: parked.source, id: parked.id }, encodeNotice({ type: "failed", node: this.#self, error }));
  }

  /** Tells the origin of a message that it waited here, and was lost before it was sent on. */
  missing({ source, id }: Parked): void {
    this.#frames.send({ kind: FRAME.notice, to: source, id }, encodeNotice({ type: "missing", node: this.#self, unsent: true }));
  }

  /**
   * The origin of a message leaves it to this node in this life (0: it does not know which), unless it has sent `others`; `asked`: and
   * wants to know whether it is here.
   */
  onCustody(now: Instant, id: MessageId, origin: NodeHash, life: number, asked: boolean, others: boolean): void {
    const parked = this.#park.find(id);
    const missing = parked === undefined || !isSameHash(parked.source, origin);
    // What was said to an earlier life does not hold, nor of a message that was sent again since.
    const refused = !others && (parked?.resent === true || (life !== 0 && life !== this.#life));
    if (missing || refused) {
      if (asked || !missing)
        this.#frames.send({ kind: FRAME.notice, to: origin, id }, encodeNotice({ type: "missing", node: this.#self, unsent: false }));
      return;
    }
    if (!others) this.#park.setCustody(id, true);
    if (asked && parked.stored) this.#tellParked(now, parked);
  }

  /** Says again what waits here, after a restart: to each origin as soon as there is a way. */
  announce(now: Instant): void {
    for (const source of this.#park.restoredSources) this.#untold.set(source.high, source.low, source);
    this.routesChanged(now);
  }

  routesChanged(now: Instant): void {
    if (this.#untold.size === 0) return;
    const [reached, left] = [new NodeHashMap<NodeHash>(), new NodeHashMap<NodeHash>()];
    for (const source of this.#untold.values())
      (this.#port.hasRoute(source.high, source.low) ? reached : left).set(source.high, source.low, source);
    if (reached.size === 0) return;
    this.#untold = left;
    for (const parked of this.#park.list(reached)) this.#tellParked(now, parked);
  }

  #wait(now: Instant, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const kind = view.getUint8(start + OFFSET.kind);
    if (kind === FRAME.reset) return this.#cancelWaiting(bytes, view, start, end);
    if (kind !== FRAME.message) {
      this.counts.noRoute++;
      return;
    }
    const origin = sourceOf(view, start);
    const ttl = view.getUint32(start + OFFSET.ttl);
    if (ttl === 0 || !this.#parks) {
      const error = new MeshError("NO_ROUTE", `${this.#self} has no route onward, and the message may not wait`, {
        data: { where: this.#self },
      });
      return this.tell(origin, bytes, start, { type: "failed", node: this.#self, error });
    }
    // One of this node's own on a roundabout way: it has been sent and is bound, whatever becomes of its sender meanwhile.
    if (isSameHash(origin, this.#hash) && (view.getUint8(start + OFFSET.flags) & FLAG.sealed) === 0) {
      const at = start + OFFSET.flags;
      view.setUint8(at, view.getUint8(at) | FLAG.resent);
    }
    const error = this.#park.add(now, bytes, start, end, this.#added);
    if (error !== undefined) this.tell(origin, bytes, start, { type: "failed", node: this.#self, error });
  }

  readonly #added: Added = (error, parked, since) => {
    if (error !== undefined) this.lost(parked, error);
    else this.#tellParked(since, parked);
  };

  /** The way closed while the message was taken out of the store. Its origin need not know. */
  #parkAgain(now: Instant, before: Parked, frame: Uint8Array): void {
    const { id, source, custody } = before;
    const error = this.#park.add(now, frame, 0, frame.length, (late, parked) => {
      if (late !== undefined) this.lost(parked, late);
    });
    if (error !== undefined) return this.tell(source, frame, 0, { type: "failed", node: this.#self, error });
    this.#park.setCustody(id, custody);
  }

  #tellParked(now: Instant, parked: Parked): void {
    const ttl = Math.max(0, Math.round(parked.expiresAt - now));
    if (ttl !== this.#waits.ttl) this.#waits = { ttl, body: encodeNotice({ type: "parked", node: this.#self, ttl }) };
    this.#frames.send({ kind: FRAME.notice, to: parked.source, id: parked.id }, this.#waits.body);
  }

  #cancelWaiting(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const parked = this.#park.find(readMessageId(bytes, start + OFFSET.id));
    if (parked === undefined || (view.getUint8(start + OFFSET.flags) & FLAG.upward) === 0) return;
    const origin = sourceOf(view, start);
    if (!isSameHash(parked.source, origin)) return;
    const sealed = (view.getUint8(start + OFFSET.flags) & FLAG.sealed) !== 0;
    const error = sealed
      ? new MeshError("CANCELLED", `its sender took the message back from ${this.#self}, where it waited`)
      : decodeError(bytes.subarray(start + ROUTED_HEADER, end));
    this.#park.remove(parked.id);
    this.tell(origin, bytes, start, { type: "failed", node: this.#self, error });
  }

  #tooFar(bytes: Uint8Array, view: DataView, start: number): void {
    const kind = view.getUint8(start + OFFSET.kind);
    if (kind === FRAME.echo) return this.#echo.answer(readMessageId(bytes, start + OFFSET.id), sourceOf(view, start), 0);
    this.counts.hopLimit++;
    if (kind !== FRAME.message) return;
    const error = new MeshError("HOP_LIMIT", `the message crossed more than ${LIMITS.hops} nodes, and ended at ${this.#self}`, {
      data: { where: this.#self },
    });
    this.tell(sourceOf(view, start), bytes, start, { type: "failed", node: this.#self, error });
  }
}

export function destinationOf(view: DataView, start: number): NodeHash {
  return { high: view.getUint32(start + OFFSET.destination), low: view.getUint32(start + OFFSET.destination + 4) };
}

export function sourceOf(view: DataView, start: number): NodeHash {
  return { high: view.getUint32(start + OFFSET.source), low: view.getUint32(start + OFFSET.source + 4) };
}
