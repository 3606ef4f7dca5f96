import { ChurnMap } from "../../core/churn-map.ts";
import { Deadlines } from "../../core/deadlines.ts";
import { MeshError, toMeshError } from "../../core/errors.ts";
import type { MessageId, NodeId } from "../../core/ids.ts";
import { earlier, type Instant, type Millis } from "../../core/instant.ts";
import { LIMITS, TIMES } from "../../core/limits.ts";
import { isSameHash, type NodeHash, RecentHash } from "../../core/node-hash.ts";
import type { Acknowledgement } from "../../wire/acknowledgement.ts";
import { Fields } from "../../wire/check.ts";
import { decode } from "../../wire/codec.ts";
import { FLAG, type RoutedHeader } from "../../wire/frame.ts";
import { type MessageBody, readMessage } from "../../wire/message.ts";
import { endRecord, finishRecord, recordHead, type WorkEnd } from "../../wire/record.ts";
import type { AckQueue } from "../streams/ack-queue.ts";
import { type Conversation, newConversation, restedFrom, resumed } from "./conversation.ts";
import { type Frames, RERUN } from "../frames.ts";
import { Answering } from "./answering.ts";
import { EarlyCancels } from "./early-cancels.ts";
import { Journal, type Journaled } from "./journal.ts";
import type { DeliveryPort, DestinationEvents, Lateness, ResponseFacts } from "../ports.ts";
import { Retention } from "./retention.ts";
import { SeenWindow } from "./seen-window.ts";
import type { Disk } from "../records/stored-records.ts";
import type { StreamReceiver } from "../streams/stream-receiver.ts";
import { Nursery } from "../streams/stream-sender.ts";

/** How long a refusal is remembered for copies of its message. */
const REFUSAL = 30_000;
const REFUSALS = 10_000;

/** What the worker's end works with. */
export interface DestinationRooms {
  readonly port: DeliveryPort;
  readonly frames: Frames;
  readonly acks: AckQueue;
  readonly disk: Disk;
  readonly events: DestinationEvents;
}

export interface DestinationOptions {
  readonly life: number;
  readonly store: number;
  readonly retention: Millis;
  /** Durable messages that are remembered at most; default LIMITS.journaled, less in tests. */
  readonly journaled?: number;
  readonly late: Lateness;
}

/** The worker's end of every message that arrives here. SPEC.md has its states and rules. */
export class Destination {
  readonly #acks: AckQueue;
  readonly #events: DestinationEvents;
  readonly #journal: Journal;
  readonly #seen: SeenWindow;
  readonly #conversations = new ChurnMap<MessageId, Conversation>();
  readonly #retention: Retention<Conversation>;
  readonly #answering: Answering;
  readonly #port: DeliveryPort;
  /** Until when each refusal is remembered. */
  readonly #refused = new Deadlines<MessageId>();
  readonly #cancelledEarly = new EarlyCancels();
  readonly #nursery = new Nursery();
  readonly #senders = new RecentHash();
  readonly #life: number;
  readonly #store: number;
  readonly #late: Millis;
  readonly #journaled: number;

  constructor(options: DestinationOptions, rooms: DestinationRooms) {
    this.#seen = new SeenWindow(options.late.seen);
    this.#late = options.late.journal;
    this.#journaled = options.journaled ?? LIMITS.journaled;
    this.#life = options.life;
    this.#store = options.store;
    this.#port = rooms.port;
    this.#answering = new Answering(rooms.port, rooms.frames);
    this.#acks = rooms.acks;
    this.#events = rooms.events;
    this.#journal = new Journal(rooms.disk);
    this.#retention = new Retention(options.retention, ({ id }) => this.#drop(id));
  }

  get size(): number {
    return this.#conversations.size + this.#retention.archive.size;
  }

  /** Takes up what the journal holds: ended work is remembered, interrupted work runs again where it may, and fails otherwise. */
  restore(clock: () => Instant, done: (error: MeshError | undefined) => void): void {
    this.#journal.restore((error, { entries, unreadable }) => {
      for (const entry of entries) this.#resume(clock(), entry);
      // Whether they ran is open, so no copy may run.
      for (const id of unreadable) this.#seen.add(id, 0, clock() + TIMES.retention);
      done(error);
    });
  }

  onMessage(now: Instant, id: MessageId, header: Readonly<RoutedHeader>, frame: Uint8Array, start: number, end: number): void {
    const peer = { high: header.sourceHigh, low: header.sourceLow };
    const known = this.#conversations.get(id);
    // Ids are no secret, and another has used this one.
    if (known !== undefined && !isSameHash(known.origin, peer)) return this.#refuseForeign(peer, id);
    if (known !== undefined) return this.#again(known);
    if (this.#saidAll(id, peer)) return;
    // The journal remembers for longer, as a later life of this node may have to.
    if (this.#seen.has(id, peer) || this.#journal.has(id)) {
      return this.#answering.reset(peer, id, responsesGone());
    }
    const body = this.#read(peer, id, frame, start, end);
    const durable = (header.flags & FLAG.durable) !== 0;
    // A durable message that the journal does not have has not begun in any life that this store remembers.
    const life = durable ? this.#store : this.#life;
    if (header.auxiliary !== life && !this.#events.isIdempotent(body.directive)) {
      return this.#answering.receipt(peer, id, { type: "stale", life, resent: (header.flags & FLAG.resent) !== 0 });
    }
    if (!this.#seen.add(id, body.floor, now + header.ttl, peer)) {
      return this.#answering.reset(peer, id, new MeshError("RESPONSES_GONE", "the work was ended by its sender before"));
    }
    const hold = (header.flags & FLAG.hold) !== 0;
    const streamed = (header.flags & FLAG.streamed) !== 0;
    const until = now + header.ttl + this.#late;
    const { sender, directive, headers, deadline, payload } = body;
    const kept = durable ? frame.slice(start, end) : undefined;
    const conversation = this.#open({ id, sender, peer, durable, hold, frame: kept, until, streamed });
    if (this.#cancelledEarly.take(id, peer))
      return this.refuse(now, id, new MeshError("CANCELLED", "the sender cancelled it before it arrived"));
    const request = { id, sender, directive, headers, deadline, payload, streamed, durable, hold };
    if (!durable) return this.#events.onRequest(request);
    if (this.#journal.size >= this.#journaled) return this.refuse(now, id, journalFull(this.#journal.size));
    conversation.phase = "journaling";
    this.#journal.put(id, conversation.frame ?? frame.slice(start, end), false, (error) => {
      if (this.#conversations.get(id) !== conversation || conversation.phase !== "journaling") return;
      conversation.phase = "offered";
      if (error === undefined) this.#events.onRequest(request);
      else this.refuse(now, id, error);
    });
  }

  /** The work is taken. Its receipt leaves with the first response, or at the end of the tick. */
  accept(id: MessageId): void {
    const conversation = this.#conversations.get(id);
    if (conversation?.phase !== "offered") return;
    conversation.phase = "accepted";
    conversation.receiptDue = true;
    this.#answering.mark(conversation);
  }

  refuse(now: Instant, id: MessageId, error: MeshError): void {
    const conversation = this.#conversations.get(id);
    if (conversation === undefined || conversation.phase === "accepted" || conversation.phase === "ended") return;
    conversation.phase = "refused";
    conversation.error = error;
    if (this.#refused.size >= REFUSALS) this.#drop(this.#refused.take(Infinity));
    this.#refused.set(id, now + REFUSAL);
    if (conversation.durable) this.#journal.remove(id);
    conversation.receiptDue = true;
    this.#answering.mark(conversation);
  }

  /** The work began. */
  running(id: MessageId): void {
    const conversation = this.#conversations.get(id);
    if (conversation === undefined || conversation.phase !== "accepted") return;
    this.#answering.running(conversation);
  }

  /** Adds one response of at most 48 KiB. `false`: wait for `onResponseWritable`. */
  respond(id: MessageId, facts: ResponseFacts, payload: Uint8Array): boolean {
    return this.#write(id, recordHead("response", facts.content, facts.channel, payload.length), payload, true);
  }

  /** Begins a response whose payload comes in chunks. */
  beginResponse(id: MessageId, facts: ResponseFacts): boolean {
    return this.#write(id, recordHead("begin", facts.content, facts.channel, 0, facts.whole), undefined, true);
  }

  /** Adds to the response that was begun, at most 32 KiB. */
  chunk(id: MessageId, payload: Uint8Array): boolean {
    return this.#write(id, recordHead("chunk", "bytes", undefined, payload.length), payload, false);
  }

  finishResponse(id: MessageId): boolean {
    return this.#write(id, finishRecord(), undefined, false);
  }

  /** The work is over; the response stream ends with how. */
  end(now: Instant, id: MessageId, end: Omit<WorkEnd, "responses">): void {
    const conversation = this.#conversations.get(id);
    if (conversation?.phase !== "accepted") return;
    const { state, exitCode, error } = end;
    this.#answering.end(now, conversation, endRecord({ state, exitCode, error, responses: conversation.responses }));
    conversation.phase = "ended";
    // What a restart interrupted stays as it is there: another restart must not take it for work that ended.
    if (conversation.frame !== undefined && conversation.interrupted === undefined)
      this.#journal.put(id, conversation.frame, true, () => undefined);
    this.#retention.keep(now, conversation, conversation.down.held);
  }

  /** The worker has taken so many bytes of the payload. */
  consumed(id: MessageId, count: number): void {
    const conversation = this.#conversations.get(id);
    if (conversation?.up === undefined) return;
    conversation.up.consume(count);
    this.#acknowledge(conversation, conversation.up);
  }

  /** How many responses so far. */
  responses(id: MessageId): number {
    return this.#conversations.get(id)?.responses ?? this.#retention.archive.get(id)?.responses ?? 0;
  }

  onChunk(id: MessageId, chunk: { offset: number; bytes: Uint8Array; fin: boolean; probe: boolean; from: NodeHash }): void {
    const conversation = this.#conversations.get(id);
    if (conversation !== undefined && !isSameHash(conversation.origin, chunk.from)) return this.#port.denied(chunk.from);
    const up = conversation?.up;
    if (conversation === undefined || up === undefined) return this.#unknown(chunk.from, id);
    const whole = up.whole;
    const fresh = up.receive(chunk.offset, chunk.bytes, chunk.fin);
    if (chunk.probe) {
      up.probed();
      conversation.probed = true;
    }
    // What comes after the work has ended is read by nobody: taken, so that its sender can finish.
    if (conversation.phase === "ended") {
      up.consume(LIMITS.credit);
    } else {
      if (fresh !== undefined) this.#events.onPayloadBytes(id, fresh);
      if (!whole && up.whole) this.#events.onPayloadEnd(id);
    }
    this.#acknowledge(conversation, up);
  }

  onAck(now: Instant, ack: Acknowledgement, from: NodeHash): void {
    const conversation = this.#conversations.get(ack.id);
    if (conversation === undefined) {
      if (!ack.done && !ack.detached && !this.#retention.archive.has(ack.id)) this.#unknown(from, ack.id);
      return;
    }
    if (conversation.interrupted !== undefined) {
      if (ack.done || ack.detached) return;
      if (ack.offset > 0 || ack.generation !== conversation.generation)
        return this.#answering.reset(from, ack.id, conversation.interrupted);
      return this.#again(conversation);
    }
    if (!isSameHash(conversation.peer, from)) return this.#foreign(conversation, from);
    if (conversation.phase === "refused" || ack.generation !== conversation.generation) return;
    if (ack.detached) {
      conversation.detached = true;
      return;
    }
    if (!this.#answering.acknowledge(now, conversation, ack)) return;
    if (conversation.down.done && this.#rest(conversation)) return;
    this.#retention.resize(conversation, conversation.down.held);
    if (conversation.blocked && conversation.down.writable) {
      conversation.blocked = false;
      this.#events.onResponseWritable(ack.id);
    }
  }

  onReset(now: Instant, id: MessageId, error: MeshError, from: NodeHash): void {
    const conversation = this.#conversations.get(id);
    if (conversation !== undefined) {
      // Its sender may cancel it, and who follows it in its place.
      if (!isSameHash(conversation.origin, from) && !isSameHash(conversation.peer, from)) return this.#foreign(conversation, from);
      if (conversation.phase === "journaling" || conversation.phase === "offered") return this.refuse(now, id, error);
      if (conversation.phase === "accepted") return this.#events.onCancel(id, error);
      if (conversation.interrupted !== undefined) return this.#answering.reset(from, id, conversation.interrupted);
      return this.#again(conversation);
    }
    if (this.#saidAll(id, from)) return;
    this.#cancelledEarly.add(now, id, from);
    this.#answering.reset(from, id, error);
  }

  onConfirm(id: MessageId, from: NodeHash): void {
    const conversation = this.#conversations.get(id);
    if (conversation === undefined) return;
    if (!isSameHash(conversation.origin, from)) return this.#port.denied(from);
    if (conversation.hold && conversation.phase === "accepted") this.#events.onConfirm(id);
  }

  /** Someone wants the responses from one on: the stream starts over for it. `elsewhere`: where this node sent the work, if it did. */
  onAttach(id: MessageId, from: NodeHash, body: Uint8Array, elsewhere: NodeId | undefined): void {
    const { archive } = this.#retention;
    const rested = archive.get(id);
    const conversation = rested === undefined ? this.#conversations.get(id) : resumed(id, rested, this.#nursery);
    if (conversation === undefined && elsewhere !== undefined)
      return this.#answering.receipt(from, id, { type: "elsewhere", node: elsewhere });
    if (conversation === undefined || conversation.phase === "journaling" || conversation.phase === "offered") {
      const error = this.#seen.has(id)
        ? new MeshError("RESPONSES_GONE", "the work ended; its responses are no longer kept")
        : new MeshError("UNKNOWN_WORK", "this node has no such work");
      return this.#answering.receipt(from, id, { type: "refused", error });
    }
    if (!this.#events.mayFollow(this.#port.nodeOf(from.high, from.low), conversation.sender)) return this.#refuseForeign(from, id);
    if (conversation.error !== undefined) return this.#answering.receipt(from, id, { type: "refused", error: conversation.error });
    const serial = new Fields(decode(body), "a request to attach").integer("f", 1);
    const place = conversation.down.rewind(serial, conversation.responses + 1);
    if (place === undefined) {
      return this.#answering.receipt(from, id, {
        type: "refused",
        error: new MeshError("RESPONSES_GONE", `response ${serial} is no longer kept`),
      });
    }
    if (rested !== undefined) {
      this.#conversations.set(id, conversation);
      this.#retention.resume(conversation, conversation.down.held);
    }
    conversation.interrupted = undefined;
    conversation.peer = from;
    conversation.generation = (conversation.generation & RERUN) | ((conversation.generation + 1) & ~RERUN & 0xffff);
    conversation.detached = false;
    conversation.receiptDue = false;
    this.#answering.receipt(from, id, { type: "attached", ...place, generation: conversation.generation });
    this.#answering.mark(conversation);
  }

  routesChanged(now: Instant): void {
    this.#answering.routesChanged(now, this.#conversations.values());
  }

  unblock(): void {
    this.#answering.unblock();
  }

  flush(now: Instant): void {
    this.#answering.flush(now);
  }

  nextWake(): Instant | undefined {
    let next = earlier(this.#answering.nextWake(), this.#refused.next());
    next = earlier(next, this.#seen.nextWake());
    next = earlier(next, this.#retention.nextWake());
    return earlier(next, this.#journal.nextWake());
  }

  wake(now: Instant): void {
    this.#seen.wake(now);
    this.#journal.wake(now);
    this.#cancelledEarly.wake(now);
    this.#answering.wake(now);
    for (let id = this.#refused.take(now); id !== undefined; id = this.#refused.take(now)) this.#drop(id);
    this.#retention.wake(now);
  }

  /** What cannot be read, or says that somebody else sent it, is refused and leaves nothing behind. Throws why. */
  #read(peer: NodeHash, id: MessageId, frame: Uint8Array, start: number, end: number): MessageBody {
    try {
      const body = readMessage(frame, start, end);
      const sender = this.#senders.of(body.sender);
      if (sender.high === peer.high && sender.low === peer.low) return body;
      throw new MeshError("DENIED", `the message says that ${body.sender} sent it, and came from another node`);
    } catch (thrown) {
      const error = toMeshError(thrown);
      this.#answering.receipt(peer, id, { type: "refused", error });
      throw error;
    }
  }

  #open(facts: Parameters<typeof newConversation>[0]): Conversation {
    const conversation = newConversation(facts, this.#nursery);
    this.#conversations.set(facts.id, conversation);
    return conversation;
  }

  /** The work with this id is another's. */
  #refuseForeign(from: NodeHash, id: MessageId): void {
    this.#port.denied(from);
    this.#answering.receipt(from, id, { type: "refused", error: notYours() });
  }

  /** What comes of who does not follow the work, unless it did before another of its owner took its place. */
  #foreign({ origin, sender }: Conversation, from: NodeHash): void {
    if (!isSameHash(origin, from) && !this.#events.mayFollow(this.#port.nodeOf(from.high, from.low), sender)) this.#port.denied(from);
  }

  #resume(now: Instant, { id, frame, body, ended, ttl }: Journaled): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const peer = { high: view.getUint32(16), low: view.getUint32(20) };
    const flags = view.getUint8(5);
    const streamed = (flags & FLAG.streamed) !== 0;
    this.#seen.add(id, 0, now + Math.max(ttl, 0), peer);
    const until = now + Math.max(ttl, 0) + this.#late;
    const conversation = this.#open({ id, sender: body.sender, peer, durable: true, hold: false, frame, until, streamed });
    if (!ended && !streamed && this.#events.isIdempotent(body.directive)) {
      // Its responses may differ from those of the first run: they are another stream.
      conversation.generation = RERUN | (this.#life & ~RERUN & 0xffff);
      return this.#events.onRequest({ id, ...body, streamed: false, durable: true, hold: false });
    }
    conversation.phase = "accepted";
    const message = ended
      ? "the worker restarted after the work had ended, before its responses had arrived"
      : "the worker restarted while the work ran";
    // Nothing is said before its sender asks: only then is it known how much of the former stream that has read.
    conversation.detached = true;
    conversation.interrupted = new MeshError(ended ? "RESPONSES_GONE" : "WORK_INTERRUPTED", message);
    this.end(now, id, { state: "failed", exitCode: undefined, error: conversation.interrupted });
  }

  #write(id: MessageId, head: Uint8Array, payload: Uint8Array | undefined, isNew: boolean): boolean {
    const conversation = this.#conversations.get(id);
    if (conversation === undefined || conversation.phase !== "accepted") return true;
    return this.#answering.write(conversation, head, payload, isNew);
  }

  /** A copy of a message, or a cancel, of work that has ended and was taken whole: that it was accepted is all there is to say. `false`: it is not. */
  #saidAll(id: MessageId, from: NodeHash): boolean {
    const rested = this.#retention.archive.get(id);
    if (rested === undefined) return false;
    if (rested.originHigh === from.high && rested.originLow === from.low)
      this.#answering.receipt(from, id, { type: "accepted" }, rested.hold ? FLAG.hold : 0);
    else this.#answering.receipt(from, id, { type: "refused", error: notYours() });
    return true;
  }

  /** A copy of a message that is known: say again what was said. */
  #again(conversation: Conversation): void {
    if (conversation.phase === "journaling" || conversation.phase === "offered") return;
    this.#answering.again(conversation);
  }

  /** What has ended, and was taken whole by its reader, is kept as few numbers. */
  #rest(conversation: Conversation): boolean {
    const rested = restedFrom(conversation, this.#nursery);
    if (rested === undefined) return false;
    this.#retention.rest(conversation, rested);
    this.#drop(conversation.id);
    return true;
  }

  #drop(id: MessageId | undefined): void {
    const conversation = id === undefined ? undefined : this.#conversations.get(id);
    if (conversation === undefined) return;
    if (conversation.phase === "refused") this.#refused.delete(conversation.id);
    this.#conversations.delete(conversation.id);
    this.#answering.forget(conversation);
    if (conversation.durable) this.#journal.release(conversation.id, conversation.until);
  }

  #acknowledge(conversation: Conversation, up: StreamReceiver): void {
    const { need } = up;
    if (need === undefined || conversation.acks === undefined) return;
    this.#acks.add(conversation.acks, need === "now");
    if (need === "now") this.#answering.mark(conversation);
  }

  #unknown(to: NodeHash, id: MessageId): void {
    if (this.#seen.has(id, to)) return this.#answering.reset(to, id, responsesGone());
    this.#answering.reset(to, id, new MeshError("WORK_INTERRUPTED", "the worker restarted, or has forgotten the work"));
  }
}

function notYours(): MeshError {
  return new MeshError("DENIED", "the work with this id is another node's");
}

function responsesGone(): MeshError {
  return new MeshError("RESPONSES_GONE", "the work was accepted and ended; its responses are no longer kept");
}

function journalFull(messages: number): MeshError {
  return new MeshError("STORE_FULL", `${messages} durable messages are remembered here, and no more may`, { data: { messages } });
}
