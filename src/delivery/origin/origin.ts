import { own, room } from "../../core/bytes.ts";
import { ChurnMap } from "../../core/churn-map.ts";
import { MeshError } from "../../core/errors.ts";
import type { MessageId, NodeId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import { hashNodeId, isSameHash, type NodeHash, RecentHash } from "../../core/node-hash.ts";
import { Timers } from "../../core/timers.ts";
import { FLAG, FRAME, OFFSET } from "../../wire/frame.ts";
import { layMessage } from "../../wire/message.ts";
import { encodeError, type Notice, type Receipt } from "../../wire/outcome.ts";
import type { AckQueue } from "../streams/ack-queue.ts";
import { Dispatch } from "./dispatch.ts";
import { Following } from "./following.ts";
import type { Frames } from "../frames.ts";
import type { MessageIds } from "../message-ids.ts";
import {
  Conversation,
  type ConversationFacts,
  expired,
  FOLLOWING,
  GRACE,
  isNow,
  isOver,
  type OriginRooms,
  type OriginPhase,
  RESEND,
  type SendRequest,
  SETTLE,
  ttlField,
  WATCH,
} from "./conversation.ts";
import { Keepers } from "./keepers.ts";
import type { Outbox } from "./outbox.ts";
import type { ParkQueue } from "../parking/park-queue.ts";
import type { Parked } from "../parking/parked.ts";
import type { DeliveryPort, OriginEvents } from "../ports.ts";
import { StreamReceiver } from "../streams/stream-receiver.ts";
import { StreamSender } from "../streams/stream-sender.ts";
import { Whereabouts } from "./whereabouts.ts";

export interface OriginOptions {
  readonly self: NodeId;
  readonly parks: boolean;
  readonly retention: Millis;
  readonly keepersBind: boolean;
}

/** The sender's end of every message that this node sends. SPEC.md has its states and rules. */
export class Origin {
  /** The streams of what was accepted. */
  readonly following: Following;
  readonly #port: DeliveryPort;
  readonly #frames: Frames;
  readonly #acks: AckQueue;
  readonly #ids: MessageIds;
  readonly #park: ParkQueue;
  readonly #outbox: Outbox;
  readonly #events: OriginEvents;
  readonly #live = new ChurnMap<MessageId, Conversation>();
  readonly #timers = new Timers<Conversation>();
  readonly #out: Dispatch;
  readonly #keepers: Keepers;
  readonly #left = new Whereabouts();
  readonly #hashes = new RecentHash();
  #sending: Conversation | undefined;

  constructor(options: OriginOptions, rooms: OriginRooms) {
    this.#port = rooms.port;
    this.#frames = rooms.frames;
    this.#acks = rooms.acks;
    this.#ids = rooms.ids;
    this.#park = rooms.park;
    this.#outbox = rooms.outbox;
    const fail = (conversation: Conversation, error: MeshError): void => this.#fail(conversation, error);
    this.#out = new Dispatch(options, { ...rooms, timers: this.#timers, fail });
    this.#keepers = new Keepers(options, { ...rooms, timers: this.#timers, unpark: (conversation) => this.#unpark(conversation) });
    this.following = new Following(options.retention, {
      ...rooms,
      timers: this.#timers,
      live: this.#live,
      accepted: (now, conversation) => this.#accepted(now, conversation),
      forget: (conversation) => this.#forget(conversation),
      fail,
    });
    this.#events = rooms.events;
  }

  get size(): number {
    return this.#live.size;
  }

  /** What the origin knows of a message that is not over. */
  find(id: MessageId): { readonly node: NodeId; readonly phase: OriginPhase } | undefined {
    return this.#live.get(id);
  }

  /** Where a message is or was to run that was sent from here. */
  whereabouts(id: MessageId): NodeId | undefined {
    return this.#live.get(id)?.node ?? this.#left.get(id);
  }

  send(now: Instant, request: SendRequest): MessageId {
    const issued = this.#ids.next();
    const { id, floor } = issued;
    const to = this.#hashes.of(request.node);
    const frame = layMessage(request.metadata, { deadline: request.deadline, floor, payload: request.payload }, room);
    const flags = (request.durable ? FLAG.durable : 0) | (request.hold ? FLAG.hold : 0) | (request.streamed ? FLAG.streamed : 0);
    this.#frames.address(frame, { kind: FRAME.message, to, id, flags, ttl: ttlField(request.ttl) });
    const up = request.streamed ? new StreamSender(0) : undefined;
    const conversation = this.#open({
      id,
      node: request.node,
      to,
      frame,
      expiresAt: now + request.ttl,
      durable: request.durable,
      hold: request.hold,
      up,
      issued,
    });
    this.#sending = conversation;
    if (request.durable) this.#out.storeFirst(now, conversation, this.#port.storeOf(to.high, to.low));
    else this.#out.dispatch(now, conversation);
    this.#sending = undefined;
    return id;
  }

  /** Takes up again the durable messages that a restart left behind. `done` runs when all are sent or waiting. */
  restore(clock: () => Instant, done: (error: MeshError | undefined) => void): void {
    this.#outbox.restore(clock, (error, entries) => {
      for (const { frame, id, node, to, expiresAt, directive } of entries) {
        const now = clock();
        this.#events.onRestored(id, node, directive);
        const conversation = this.#open({ id, node, to, frame, expiresAt, durable: true, hold: false, up: undefined, issued: undefined });
        conversation.copies = 1;
        conversation.bound = new DataView(frame.buffer, frame.byteOffset).getUint32(OFFSET.auxiliary);
        if (expiresAt > now) this.#out.dispatch(now, conversation);
        else this.#fail(conversation, expired(conversation));
      }
      done(error);
    });
  }

  /** Follows a work that was sent before, maybe by another process or node. */
  attach(now: Instant, id: MessageId, node: NodeId, from: number, ttl: Millis): boolean {
    if (this.#live.has(id)) return false;
    const conversation = this.#open({ ...FOLLOWING, id, node, to: hashNodeId(node), expiresAt: now + ttl });
    conversation.phase = "attaching";
    conversation.attachFrom = from;
    this.#out.dispatch(now, conversation);
    return true;
  }

  cancel(now: Instant, id: MessageId, error: MeshError): void {
    const conversation = this.#live.get(id);
    if (conversation === undefined || conversation.cancelled !== undefined) return;
    conversation.cancelled = error;
    this.#unpark(conversation);
    if (conversation.copies === 0 && conversation.phase !== "attaching") return this.#fail(conversation, error);
    this.#sendCancel(conversation);
    this.#timers.set(conversation, now + RESEND.first);
  }

  /** Stops following; the work goes on. A durable message that is not accepted yet is still delivered. */
  detach(id: MessageId): void {
    const conversation = this.#live.get(id);
    if (conversation === undefined) return;
    if (conversation.durable && conversation.phase !== "accepted") {
      conversation.left = true;
      return;
    }
    if (conversation.phase === "accepted")
      this.#acks.add({ to: conversation.to, queued: undefined, take: () => ({ ...conversation.take(), detached: true }) }, true);
    this.#left.note(id, conversation.node);
    this.#forget(conversation);
  }

  onReceipt(now: Instant, id: MessageId, receipt: Receipt, from: NodeHash): void {
    const conversation = this.#live.get(id);
    if (conversation === undefined) return;
    if (!isSameHash(conversation.to, from)) return this.#port.denied(from);
    switch (receipt.type) {
      case "accepted":
        return this.#accepted(now, conversation);
      case "refused":
        if (conversation.phase !== "accepted" || conversation.cancelled !== undefined) this.#fail(conversation, receipt.error);
        return;
      case "stale":
        return this.#stale(now, conversation, receipt);
      case "attached":
        if (conversation.phase !== "attaching") return;
        conversation.phase = "accepted";
        conversation.down = new StreamReceiver(receipt.offset);
        conversation.generation = receipt.generation;
        this.#timers.set(conversation, now + WATCH);
        this.#events.onAttached(id, receipt.serial);
        return;
      case "elsewhere":
        this.#fail(conversation, new MeshError("UNKNOWN_WORK", `the work is at ${receipt.node}`, { data: { node: receipt.node } }));
    }
  }

  onNotice(now: Instant, id: MessageId, notice: Notice): void {
    const conversation = this.#live.get(id);
    if (conversation === undefined || conversation.phase === "accepted") return;
    switch (notice.type) {
      case "parked":
        return this.#parkedElsewhere(now, conversation, notice.node, notice.ttl);
      case "released":
        if (conversation.parkedAt !== notice.node) return;
        conversation.bound = notice.life;
        return this.#out.onItsWay(now, conversation);
      case "missing":
        if (conversation.parkedAt !== notice.node) return;
        if (notice.unsent) this.#out.afterLoss(conversation);
        else if (conversation.custody) this.#keepers.lost(now, conversation, RESEND.first);
        else this.#out.onItsWay(now, conversation);
        return;
      case "failed":
        if (isOver(now, conversation, notice.error)) this.#fail(conversation, conversation.cancelled ?? notice.error);
    }
  }

  /** The worker does not know the work, or ended it without a word. */
  onReset(id: MessageId, error: MeshError, from: NodeHash): void {
    const conversation = this.#live.get(id);
    if (conversation === undefined) return;
    if (!isSameHash(conversation.to, from)) return this.#port.denied(from);
    // All that the worker had to say is here.
    if (conversation.down.whole) return this.#forget(conversation);
    const known = conversation.phase === "accepted" || error.code === "RESPONSES_GONE";
    if (known || conversation.cancelled !== undefined) this.#fail(conversation, conversation.cancelled ?? error);
  }

  /** A message of this node left this node's own store. */
  onReleased(now: Instant, parked: Parked, frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const flags = view.getUint8(OFFSET.flags) & ~FLAG.custody;
    view.setUint8(OFFSET.flags, flags);
    const conversation = this.#live.get(parked.id);
    if (conversation === undefined) return this.#out.releaseOrphan(now, parked, frame);
    if (conversation.phase !== "parked") return;
    if (conversation.copies === 0) {
      if (!this.#out.bind(now, conversation)) return;
      view.setUint32(OFFSET.auxiliary, conversation.bound);
    }
    if (this.#port.transmit(frame, 0, frame.length)) conversation.copies++;
    this.#out.onItsWay(now, conversation);
  }

  /** What waited here waits no more: its time is over, or it was thrown away with `error`. */
  onLostHere(parked: Parked, error?: MeshError): void {
    const conversation = this.#live.get(parked.id);
    if (conversation !== undefined && conversation.phase !== "accepted") this.#fail(conversation, error ?? expired(conversation));
  }

  /** The disk has lost what waited here: it is sent from memory. */
  onMissingHere({ id }: Parked): void {
    const conversation = this.#live.get(id);
    if (conversation?.phase === "parked") this.#out.afterLoss(conversation);
  }

  /** Routes changed: what is unanswered may have been lost on the old one. */
  routesChanged(now: Instant): void {
    for (const conversation of this.#live.values()) {
      const { due } = conversation;
      const asks =
        conversation.phase === "sent" ||
        conversation.phase === "waiting" ||
        conversation.phase === "attaching" ||
        (conversation.phase === "parked" && !conversation.custody) ||
        conversation.up?.outstanding === true;
      if (!asks || (due !== undefined && due <= now + SETTLE)) continue;
      if (!conversation.custody) conversation.moved = true;
      // One probe may come before the other end knows the new way back: a stream asks again at once rather than in a second.
      conversation.wait = conversation.phase === "accepted" ? SETTLE : RESEND.first;
      this.#timers.set(conversation, now + SETTLE);
    }
  }

  /** A node began a new life: what it held in memory is gone. */
  restarted(now: Instant, node: NodeId): void {
    for (const conversation of this.#live.values()) {
      if (conversation.phase === "accepted" && conversation.node === node) {
        // Asked again, at growing distances, until it answers: the way back may not be known there yet.
        conversation.wait = RESEND.first;
        this.#acks.add(conversation, true);
        this.#timers.set(conversation, now + conversation.wait);
      }
      // What its store kept it will say again within this time; if not, it is lost there.
      if (conversation.phase === "parked" && conversation.parkedAt === node && conversation.custody) {
        this.#keepers.lost(now, conversation, 5_000);
      }
    }
  }

  /** A link has room again. */
  unblock(): void {
    this.following.unblock();
  }

  flush(now: Instant): void {
    this.following.flush(now);
  }

  nextWake(): Instant | undefined {
    return this.#timers.next();
  }

  wake(now: Instant): void {
    for (let due = this.#timers.take(now); due !== undefined; due = this.#timers.take(now)) if (due.phase !== "over") this.#due(now, due);
  }

  #open(facts: ConversationFacts): Conversation {
    const conversation = new Conversation(facts);
    this.#live.set(facts.id, conversation);
    return conversation;
  }

  #parkedElsewhere(now: Instant, conversation: Conversation, node: NodeId, ttl: Millis): void {
    if (conversation.phase === "attaching" || conversation.phase === "storing") return;
    // The cancel may have come by there before the message did.
    if (conversation.cancelled !== undefined) return this.#sendCancel(conversation);
    this.#keepers.parked(now, conversation, node, ttl);
  }

  #accepted(now: Instant, conversation: Conversation): void {
    if (conversation.phase === "attaching") return;
    if (conversation.hold && conversation.cancelled === undefined)
      this.#frames.send({ kind: FRAME.confirm, to: conversation.to, id: conversation.id });
    if (conversation.phase === "accepted") return;
    conversation.phase = "accepted";
    conversation.wait = RESEND.first;
    this.#timers.set(conversation, now + (conversation.cancelled === undefined ? WATCH : RESEND.first));
    if (conversation.durable) this.#outbox.remove(conversation.id);
    this.#unpark(conversation);
    this.following.begin(conversation);
    this.#events.onAccepted(conversation.id, conversation.node);
    if (conversation.left) this.detach(conversation.id);
  }

  #stale(now: Instant, conversation: Conversation, receipt: { readonly life: number; readonly resent: boolean }): void {
    if (conversation.phase === "accepted" || conversation.phase === "attaching") return;
    // An answer to an older copy, which tells nothing new; or to another than the one that was left elsewhere, which is bound there.
    if (receipt.life === conversation.bound || this.#keepers.binds(conversation)) return;
    const neverBegan = !conversation.released && (conversation.bound === 0 || (conversation.copies <= 1 && !receipt.resent));
    if (!neverBegan) {
      const message = `${conversation.node} restarted before it answered; whether the work had begun is not known`;
      return this.#fail(conversation, new MeshError("WORK_INTERRUPTED", message, { data: { node: conversation.node } }));
    }
    if (conversation.cancelled !== undefined) return this.#fail(conversation, conversation.cancelled);
    this.#unpark(conversation);
    this.#out.rebind(now, conversation, receipt.life);
  }

  #due(now: Instant, conversation: Conversation): void {
    // What waits for long would hold the memory of many others.
    conversation.frame = own(conversation.frame);
    if (conversation.failed !== undefined) return this.#fail(conversation, conversation.failed);
    if (conversation.cancelled !== undefined) return this.#dueCancelled(now, conversation);
    if (conversation.phase === "accepted") return this.following.due(now, conversation);
    const stored = conversation.phase === "storing";
    if (stored) conversation.phase = "waiting";
    // Now or not at all, and now is when it is on the disk.
    if (stored && isNow(conversation.frame)) return this.#out.dispatch(now, conversation);
    if (now >= conversation.expiresAt + GRACE || (now >= conversation.expiresAt && conversation.copies === 0)) {
      return this.#fail(
        conversation,
        conversation.phase === "attaching" ? new MeshError("TIMEOUT", `${conversation.node} did not answer`) : expired(conversation),
      );
    }
    if (now >= conversation.expiresAt) return this.#timers.set(conversation, conversation.expiresAt + GRACE);
    const { parkedAt } = conversation;
    if (conversation.phase === "parked" && !conversation.moved && parkedAt !== undefined)
      return this.#keepers.ask(now, conversation, parkedAt);
    this.#out.dispatch(now, conversation);
  }

  #dueCancelled(now: Instant, conversation: Conversation): void {
    if (now >= conversation.expiresAt + GRACE && !this.#port.hasRoute(conversation.to.high, conversation.to.low))
      return this.#fail(conversation, conversation.cancelled ?? expired(conversation));
    if (conversation.wait > RESEND.first) this.#port.silent(conversation.to.high, conversation.to.low, conversation.wait / 2);
    this.#sendCancel(conversation);
    this.#out.again(now, conversation);
    if ((conversation.due ?? now) <= now) this.#timers.set(conversation, now + conversation.wait);
  }

  #sendCancel(conversation: Conversation): void {
    const error = conversation.cancelled;
    if (error !== undefined)
      this.#frames.send({ kind: FRAME.reset, to: conversation.to, id: conversation.id, flags: FLAG.upward }, encodeError(error));
  }

  #fail(conversation: Conversation, error: MeshError): void {
    if (this.#sending === conversation) {
      conversation.failed = error;
      this.#timers.set(conversation, -Infinity);
      return this.#port.markDirty();
    }
    const { id, phase, durable } = conversation;
    this.#forget(conversation, durable && phase !== "accepted" ? () => this.#events.onFailed(id, error) : undefined);
    // What its sender is told of a durable message holds after a restart too: the message is off the disk before.
    if (!durable || phase === "accepted") this.#events.onFailed(id, error);
  }

  /** A copy that waits here for nothing any more. */
  #unpark(conversation: Conversation): void {
    if (this.#park.messages > 0 && conversation.frame.length > 0) this.#park.remove(conversation.id);
  }

  #forget(conversation: Conversation, removed?: () => void): void {
    if (conversation.durable && conversation.phase !== "accepted") this.#outbox.remove(conversation.id, removed);
    conversation.phase = "over";
    this.#unpark(conversation);
    this.#live.delete(conversation.id);
    this.#timers.delete(conversation);
    this.following.forget(conversation);
    if (conversation.issued !== undefined) this.#ids.ended(conversation.issued);
  }
}
