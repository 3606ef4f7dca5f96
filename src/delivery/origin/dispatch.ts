import { own } from "../../core/bytes.ts";
import type { MeshError } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import type { Instant } from "../../core/instant.ts";
import type { NodeHash } from "../../core/node-hash.ts";
import type { Timers } from "../../core/timers.ts";
import { encode } from "../../wire/codec.ts";
import { FLAG, FRAME, OFFSET, putWord } from "../../wire/frame.ts";
import type { Frames } from "../frames.ts";
import { type Conversation, GRACE, noRoute, RESEND, ttlField } from "./conversation.ts";
import type { Outbox } from "./outbox.ts";
import type { ParkQueue } from "../parking/park-queue.ts";
import type { Parked } from "../parking/parked.ts";
import type { DeliveryPort, OriginEvents } from "../ports.ts";

export interface DispatchRooms {
  readonly port: DeliveryPort;
  readonly frames: Frames;
  readonly park: ParkQueue;
  readonly outbox: Outbox;
  readonly timers: Timers<Conversation>;
  readonly events: OriginEvents;
  readonly fail: (conversation: Conversation, error: MeshError) => void;
}

/** How a message leaves its origin: written first, bound, sent, handed over or parked; and when it is sent again. */
export class Dispatch {
  readonly #self: NodeId;
  readonly #parks: boolean;
  readonly #port: DeliveryPort;
  readonly #frames: Frames;
  readonly #park: ParkQueue;
  readonly #outbox: Outbox;
  readonly #timers: Timers<Conversation>;
  readonly #events: OriginEvents;
  readonly #fail: (conversation: Conversation, error: MeshError) => void;

  constructor(options: { readonly self: NodeId; readonly parks: boolean }, rooms: DispatchRooms) {
    this.#self = options.self;
    this.#parks = options.parks;
    this.#port = rooms.port;
    this.#frames = rooms.frames;
    this.#park = rooms.park;
    this.#outbox = rooms.outbox;
    this.#timers = rooms.timers;
    this.#events = rooms.events;
    this.#fail = rooms.fail;
  }

  /** Writes a durable message to the disk, with what it is bound to from now on; then it is sent. */
  storeFirst(now: Instant, conversation: Conversation, bound: number): void {
    conversation.phase = "storing";
    conversation.copies = 0;
    conversation.ended = 0;
    conversation.bound = bound;
    this.#timers.delete(conversation);
    this.stamp(now, conversation, false);
    this.#outbox.put(now, conversation.id, conversation.node, conversation.frame, conversation.expiresAt - now, (error) => {
      if (conversation.phase !== "storing") return;
      if (error !== undefined) return this.#fail(conversation, error);
      // The engine's next wake sends it, so that no time has to be known here.
      this.#timers.set(conversation, -Infinity);
      this.#port.markDirty();
    });
  }

  /** Binds a message of which no copy was sent. `false`: it is written to the disk first. */
  bind(now: Instant, conversation: Conversation): boolean {
    const life = this.lifeOf(conversation.durable, conversation.to);
    if (!conversation.durable) conversation.bound = life;
    if (!conversation.durable || conversation.bound !== 0 || life === 0) return true;
    this.storeFirst(now, conversation, life);
    return false;
  }

  /** Sends the message, or the request to attach, the best way that there is now. */
  dispatch(now: Instant, conversation: Conversation): void {
    const { to } = conversation;
    this.heardNothing(conversation);
    if (conversation.phase === "attaching") {
      this.#frames.send(
        { kind: FRAME.attach, to, id: conversation.id, ttl: ttlField(conversation.expiresAt - now) },
        encode({ f: conversation.attachFrom }),
      );
      return this.again(now, conversation);
    }
    const routed = this.#port.hasRoute(to.high, to.low) && !this.#park.has(to);
    if (routed || !this.#parks) {
      if (conversation.copies === 0 && !this.bind(now, conversation)) return;
      this.stamp(now, conversation, conversation.copies > 0);
      const frame = conversation.frame;
      const left = routed ? this.#port.transmit(frame, 0, frame.length) : this.#port.handOver(frame);
      if (left) conversation.copies++;
      conversation.phase = left ? "sent" : "waiting";
      if (!left && conversation.expiresAt <= now) return this.#fail(conversation, noRoute(conversation));
      return this.again(now, conversation);
    }
    if (conversation.expiresAt <= now) return this.#fail(conversation, noRoute(conversation));
    this.#parkHere(now, conversation);
  }

  #parkHere(now: Instant, conversation: Conversation): void {
    conversation.frame = own(conversation.frame);
    this.stamp(now, conversation, conversation.copies > 0);
    conversation.phase = "parked";
    conversation.parkedAt = this.#self;
    this.#timers.set(conversation, conversation.expiresAt + GRACE);
    const late = (error: MeshError | undefined): void => {
      if (conversation.phase !== "parked") return;
      if (error !== undefined && conversation.copies <= conversation.ended) return this.#fail(conversation, error);
      if (error !== undefined) {
        // A copy that left before may have arrived.
        conversation.phase = "waiting";
        conversation.parkedAt = undefined;
        return this.again(now, conversation);
      }
      this.#park.setCustody(conversation.id, conversation.copies === 0);
      this.#events.onParked(conversation.id, this.#self, conversation.expiresAt - now);
    };
    const refused = this.#park.add(now, conversation.frame, 0, conversation.frame.length, late);
    if (refused !== undefined) late(refused);
  }

  /** Writes what changes from copy to copy into the frame. */
  stamp(now: Instant, conversation: Conversation, resent: boolean): void {
    const { frame } = conversation;
    putWord(frame, OFFSET.ttl, ttlField(conversation.expiresAt - now));
    putWord(frame, OFFSET.auxiliary, conversation.bound);
    frame[OFFSET.hops] = 0;
    if (resent) frame[OFFSET.flags] = (frame[OFFSET.flags] as number) | FLAG.resent;
  }

  /** What a copy is bound to: for a durable message the destination's store, which remembers it across lives. */
  lifeOf(durable: boolean, { high, low }: NodeHash): number {
    return durable ? this.#port.storeOf(high, low) : this.#port.lifeOf(high, low);
  }

  /** Its timer is due: was it one for an answer, and not one that a change of routes has set? */
  heardNothing({ phase, wait, to }: Conversation): void {
    if ((phase === "sent" || phase === "attaching") && wait > RESEND.first) this.#port.silent(to.high, to.low, wait / 2);
  }

  /** Sets the timer for the next copy. */
  again(now: Instant, conversation: Conversation): void {
    this.#timers.set(conversation, Math.min(now + conversation.wait, Math.max(now, conversation.expiresAt + GRACE)));
    conversation.wait = Math.min(RESEND.most, conversation.wait * 2);
  }

  /** A copy has left the place where the message waited. */
  onItsWay(now: Instant, conversation: Conversation): void {
    conversation.phase = "sent";
    conversation.parkedAt = undefined;
    conversation.custody = false;
    conversation.wait = RESEND.first;
    this.again(now, conversation);
  }

  /** The node where it waited lost it before it was sent on: it is sent again, at the engine's next wake. */
  afterLoss(conversation: Conversation): void {
    if (conversation.parkedAt !== this.#self) conversation.copies = Math.max(0, conversation.copies - 1);
    conversation.phase = "waiting";
    conversation.parkedAt = undefined;
    conversation.custody = false;
    conversation.wait = RESEND.first;
    this.#timers.set(conversation, -Infinity);
    this.#port.markDirty();
  }

  /** Sends what no copy can have begun of, bound to another life. */
  rebind(now: Instant, conversation: Conversation, life: number): void {
    if (conversation.durable) return this.storeFirst(now, conversation, life);
    conversation.bound = life;
    conversation.ended = 0;
    this.stamp(now, conversation, false);
    conversation.copies = this.#port.transmit(conversation.frame, 0, conversation.frame.length) ? 1 : 0;
    this.onItsWay(now, conversation);
  }

  /** Sends on a parked message of an earlier life of this node. If it was never sent before, it is bound now. */
  releaseOrphan(now: Instant, parked: Parked, frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const bound = (view.getUint8(OFFSET.flags) & (FLAG.resent | FLAG.durable | FLAG.sealed)) !== 0;
    if (!bound) view.setUint32(OFFSET.auxiliary, this.lifeOf(false, parked.destination));
    if (!this.#port.transmit(frame, 0, frame.length)) this.#park.add(now, frame, 0, frame.length, () => undefined);
  }
}
