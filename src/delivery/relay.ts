import { MeshError } from "../core/errors.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { FLAG, FRAME, OFFSET } from "../wire/frame.ts";
import { readMessageId } from "../wire/message-id.ts";
import { decodeError, encodeNotice, type Notice } from "../wire/outcome.ts";
import { hashNodeId, type NodeHash } from "../core/node-hash.ts";
import { ROUTED_HEADER } from "../wire/frame.ts";
import type { Echo } from "./echo.ts";
import type { Frames } from "./frames.ts";
import type { Parked, ParkQueue } from "./park-queue.ts";
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
  /** What waited here when this life began, and its origin could not be told yet. */
  readonly #untold = new Set<Parked>();

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
    const life = this.#port.lifeOf(parked.destination.high, parked.destination.low);
    view.setUint8(OFFSET.flags, view.getUint8(OFFSET.flags) & ~FLAG.custody);
    if (parked.custody) view.setUint32(OFFSET.auxiliary, life);
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
    const missing = parked === undefined || parked.source.high !== origin.high || parked.source.low !== origin.low;
    // What was said to an earlier life does not hold, nor of a message that was sent again since.
    const refused = !others && (parked?.resent === true || (life !== 0 && life !== this.#life));
    if (missing || refused) {
      if (asked || !missing)
        this.#frames.send({ kind: FRAME.notice, to: origin, id }, encodeNotice({ type: "missing", node: this.#self, unsent: false }));
      return;
    }
    if (!others) parked.custody = true;
    if (asked && parked.stored) this.#tellParked(now, parked);
  }

  /** Says again what waits here, after a restart: to each origin as soon as there is a way. */
  announce(now: Instant): void {
    for (const parked of this.#park.list()) this.#untold.add(parked);
    this.routesChanged(now);
  }

  routesChanged(now: Instant): void {
    for (const parked of this.#untold) {
      if (!parked.gone && !this.#port.hasRoute(parked.source.high, parked.source.low)) continue;
      this.#untold.delete(parked);
      if (!parked.gone) this.#tellParked(now, parked);
    }
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
    const frame = bytes.slice(start, end);
    // One of this node's own on a roundabout way: it has been sent and is bound, whatever becomes of its sender meanwhile.
    if (origin.high === this.#hash.high && origin.low === this.#hash.low) frame[OFFSET.flags] = (frame[OFFSET.flags] ?? 0) | FLAG.resent;
    const waiting = this.#park.find(readMessageId(frame, OFFSET.id));
    // A second copy of what waits here: its origin has not left it to us after all.
    if (waiting !== undefined) waiting.custody = false;
    this.#park.add(now, frame, (error, parked) => {
      if (error !== undefined) this.tell(origin, frame, 0, { type: "failed", node: this.#self, error });
      else if (parked !== undefined) this.#tellParked(now, parked);
    });
  }

  /** The way closed while the message was taken out of the store. Its origin need not know. */
  #parkAgain(now: Instant, before: Parked, frame: Uint8Array): void {
    this.#park.add(now, frame, (error) => {
      if (error !== undefined) this.tell(before.source, frame, 0, { type: "failed", node: this.#self, error });
    });
    const again = this.#park.find(before.id);
    if (again !== undefined) again.custody = before.custody;
  }

  #tellParked(now: Instant, parked: Parked): void {
    const notice: Notice = { type: "parked", node: this.#self, ttl: Math.max(0, parked.expiresAt - now) };
    this.#frames.send({ kind: FRAME.notice, to: parked.source, id: parked.id }, encodeNotice(notice));
  }

  #cancelWaiting(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const parked = this.#park.find(readMessageId(bytes, start + OFFSET.id));
    if (parked === undefined || (view.getUint8(start + OFFSET.flags) & FLAG.upward) === 0) return;
    const origin = sourceOf(view, start);
    if (parked.source.high !== origin.high || parked.source.low !== origin.low) return;
    const error = decodeError(bytes.subarray(start + ROUTED_HEADER, end));
    this.#park.remove(parked);
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
