import type { ChurnMap } from "../../core/churn-map.ts";
import { MeshError } from "../../core/errors.ts";
import type { MessageId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import { isSameHash, type NodeHash } from "../../core/node-hash.ts";
import type { Timers } from "../../core/timers.ts";
import type { Acknowledgement } from "../../wire/acknowledgement.ts";
import { FLAG } from "../../wire/frame.ts";
import type { AckQueue } from "../streams/ack-queue.ts";
import { type Frames, RERUN } from "../frames.ts";
import { type Conversation, RESEND, type ResponseChunk, unknownReader, WATCH } from "./conversation.ts";
import { PayloadPump } from "./payload-pump.ts";
import type { DeliveryPort, OriginEvents } from "../ports.ts";
import { StreamReceiver } from "../streams/stream-receiver.ts";

export interface FollowingRooms {
  readonly port: DeliveryPort;
  readonly frames: Frames;
  readonly acks: AckQueue;
  readonly timers: Timers<Conversation>;
  readonly events: OriginEvents;
  readonly live: ChurnMap<MessageId, Conversation>;
  /** A chunk says that the message was accepted. */
  readonly accepted: (now: Instant, conversation: Conversation) => void;
  readonly forget: (conversation: Conversation) => void;
  readonly fail: (conversation: Conversation, error: MeshError) => void;
}

/** The sender's end of the two streams of a work: its payload out, its responses in. */
export class Following {
  readonly #rooms: FollowingRooms;
  readonly #pump: PayloadPump;
  readonly #patience: Millis;

  /** `patience`: for so long a worker may be out of reach. */
  constructor(patience: Millis, rooms: FollowingRooms) {
    this.#patience = patience;
    this.#rooms = rooms;
    this.#pump = new PayloadPump(rooms.port, rooms.frames, rooms.timers);
  }

  /** Adds to the payload stream. `false`: wait for `onInputWritable`. */
  writeInput(id: MessageId, bytes: Uint8Array): boolean {
    const conversation = this.#rooms.live.get(id);
    if (conversation?.up === undefined) return true;
    conversation.up.write(bytes);
    this.#pump.written(conversation);
    conversation.inputBlocked = !conversation.up.writable;
    return !conversation.inputBlocked;
  }

  endInput(id: MessageId): void {
    const conversation = this.#rooms.live.get(id);
    if (conversation?.up === undefined) return;
    conversation.up.end();
    this.#pump.mark(conversation);
  }

  /** The program has taken so many bytes of the responses. */
  consumed(id: MessageId, count: number): void {
    const conversation = this.#rooms.live.get(id);
    if (conversation === undefined) return;
    conversation.down.consume(count);
    this.#acknowledge(conversation);
    if (conversation.down.done) this.#rooms.forget(conversation);
  }

  onChunk(now: Instant, id: MessageId, chunk: ResponseChunk): void {
    const { live, acks, events } = this.#rooms;
    const conversation = live.get(id);
    if (conversation === undefined) {
      acks.add({ to: chunk.from, queued: undefined, take: () => unknownReader(id, chunk.generation, chunk.offset) }, true);
      return;
    }
    if (!isSameHash(conversation.to, chunk.from)) return this.#rooms.port.denied(chunk.from);
    // Before it knows where its stream begins, a chunk can only be from the stream of an earlier follower.
    if (conversation.phase === "attaching") return;
    if (chunk.generation !== conversation.generation && !this.#followRerun(conversation, chunk.generation)) return;
    if (chunk.accepted || conversation.phase !== "accepted") this.#rooms.accepted(now, conversation);
    if (live.get(id) !== conversation) return;
    const whole = conversation.down.whole;
    const fresh = conversation.down.receive(chunk.offset, chunk.bytes, chunk.fin);
    if (chunk.probe) {
      conversation.probed = true;
      conversation.down.probed();
    }
    if (fresh !== undefined) events.onResponseBytes(id, fresh);
    if (!whole && conversation.down.whole) events.onResponseEnd(id);
    if (live.get(id) !== conversation) return;
    this.#acknowledge(conversation);
    if (conversation.down.done) this.#rooms.forget(conversation);
  }

  onAck(now: Instant, ack: Acknowledgement, from: NodeHash): void {
    const conversation = this.#rooms.live.get(ack.id);
    const up = conversation?.up;
    if (conversation === undefined || up === undefined) return;
    if (!isSameHash(conversation.to, from)) return this.#rooms.port.denied(from);
    const before = up.acked;
    if (!up.acknowledge(ack.offset, ack.window, ack.done)) return;
    if (ack.probed) up.goBack();
    else if (ack.gap) up.missing(ack.offset);
    if (up.acked > before) conversation.wait = RESEND.first;
    this.#rooms.timers.set(conversation, now + (up.outstanding ? conversation.wait : WATCH));
    this.#pump.mark(conversation);
    if (conversation.inputBlocked && up.writable) {
      conversation.inputBlocked = false;
      this.#rooms.events.onInputWritable(conversation.id);
    }
  }

  /** The message was accepted: its payload may flow. */
  begin(conversation: Conversation): void {
    if (conversation.up !== undefined) this.#pump.mark(conversation);
  }

  /** Asks the worker, as nothing has come from it for a while. */
  due(now: Instant, conversation: Conversation): void {
    const { port, frames, acks, timers } = this.#rooms;
    const { up, to, id } = conversation;
    if (port.hasRoute(to.high, to.low)) conversation.lostAt = undefined;
    else conversation.lostAt ??= now;
    if (conversation.lostAt !== undefined && now - conversation.lostAt >= this.#patience) {
      const message = `${conversation.node} has been out of reach too long; what became of the work is not known`;
      return this.#rooms.fail(conversation, new MeshError("WORK_INTERRUPTED", message, { data: { node: conversation.node } }));
    }
    timers.set(conversation, now + conversation.wait);
    if (up?.outstanding === true) {
      if (conversation.wait >= RESEND.first) port.silent(to.high, to.low, conversation.wait / 2);
      const nothing = { offset: up.sent, bytes: new Uint8Array(0), from: 0, to: 0, fin: false, roomy: false };
      frames.sendChunk(to, id, nothing, FLAG.upward | FLAG.probe, 0);
      conversation.wait = Math.min(RESEND.most, conversation.wait * 2);
      return;
    }
    acks.add(conversation, true);
    conversation.wait = Math.min(WATCH, conversation.wait * 2);
    port.markDirty();
  }

  forget(conversation: Conversation): void {
    if (conversation.up !== undefined) this.#pump.forget(conversation);
  }

  /** A link has room again. */
  unblock(): void {
    this.#pump.unblock();
  }

  flush(now: Instant): void {
    this.#pump.flush(now);
  }

  /** A durable idempotent work began anew: its responses are read from the first, and those that were had before left out. */
  #followRerun(conversation: Conversation, generation: number): boolean {
    if ((generation & RERUN) === 0) return false;
    conversation.generation = generation;
    conversation.down = new StreamReceiver();
    this.#rooms.events.onRerun(conversation.id);
    return true;
  }

  #acknowledge(conversation: Conversation): void {
    const { down } = conversation;
    const { need } = down;
    if (need === undefined) return;
    // The last word is enough, and nobody waits for it.
    const urgent = need === "now" && (conversation.probed || !down.whole);
    this.#rooms.acks.add(conversation, urgent);
    if (urgent) this.#rooms.port.markDirty();
  }
}
