import type { MeshError } from "../../core/errors.ts";
import type { MessageId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import type { NodeHash } from "../../core/node-hash.ts";
import { Timers } from "../../core/timers.ts";
import type { Acknowledgement } from "../../wire/acknowledgement.ts";
import { FLAG, FRAME } from "../../wire/frame.ts";
import { encodeError, encodeReceipt, type Receipt } from "../../wire/outcome.ts";
import { RECORD_HEADER, runningRecord } from "../../wire/record.ts";
import { type Conversation, RESEND } from "./conversation.ts";
import type { Frames } from "../frames.ts";
import type { DeliveryPort } from "../ports.ts";

/** After routes changed, what is on its way may be lost: so long until a probe asks. */
const SETTLE: Millis = 100;

/** What the worker's end says: receipts, and the stream of responses, as fast as its reader and the way to it take them. */
export class Answering {
  readonly #port: DeliveryPort;
  readonly #frames: Frames;
  /** When the reader is asked how far it has come. */
  readonly #probes = new Timers<Conversation>();
  /** Those that are marked, and some that were. */
  #dirty: Conversation[] = [];
  readonly #stalled = new Set<Conversation>();

  constructor(port: DeliveryPort, frames: Frames) {
    this.#port = port;
    this.#frames = frames;
  }

  /** There is something to say; it leaves at the end of the tick. */
  mark(conversation: Conversation): void {
    if (conversation.marked) return;
    conversation.marked = true;
    this.#dirty.push(conversation);
    this.#port.markDirty();
  }

  /** The work began: it is said with its first response, in one piece, or at the end of the tick. */
  running(conversation: Conversation): void {
    conversation.runningDue = true;
    this.mark(conversation);
  }

  /** `isNew`: another response begins. `false`: wait until its reader has taken some. */
  write(conversation: Conversation, head: Uint8Array, payload: Uint8Array | undefined, isNew: boolean): boolean {
    if (isNew) conversation.responses++;
    const { down, peer } = conversation;
    if (conversation.runningDue) {
      conversation.runningDue = false;
      down.reserve(RECORD_HEADER + head.length + (payload?.length ?? 0));
      down.write(runningRecord(), undefined, conversation.responses);
    }
    down.write(head, payload, isNew ? conversation.responses : undefined);
    this.mark(conversation);
    // Its reader has something to do while more is made.
    if (down.chunkReady && this.#port.hasRoute(peer.high, peer.low)) this.#sendChunks(conversation, true);
    conversation.blocked = !down.writable;
    return !conversation.blocked;
  }

  /** The last record. All is said, so it leaves at once: its reader has something to do while the next work runs. */
  end(now: Instant, conversation: Conversation, record: Uint8Array): void {
    this.#sayRunning(conversation);
    conversation.down.write(record, undefined, conversation.responses + 1);
    conversation.down.end();
    this.#pump(now, conversation);
    this.#port.markDirty();
  }

  /** Says again what was said: a copy of its message came, or its reader came back. */
  again(conversation: Conversation): void {
    conversation.receiptDue = true;
    conversation.interrupted = undefined;
    conversation.detached = false;
    if (conversation.down.outstanding) conversation.down.goBack();
    this.mark(conversation);
  }

  /** Its reader has taken so much. `false`: it says what cannot be. */
  acknowledge(now: Instant, conversation: Conversation, ack: Acknowledgement): boolean {
    const { down } = conversation;
    const before = down.acked;
    if (!down.acknowledge(ack.offset, ack.window, ack.done)) return false;
    if (ack.probed) down.goBack();
    else if (ack.gap) down.missing(ack.offset);
    if (down.acked > before) conversation.wait = RESEND.first;
    if (down.outstanding) this.#probes.set(conversation, now + conversation.wait);
    else this.#probes.delete(conversation);
    if (!down.done) this.mark(conversation);
    return true;
  }

  forget(conversation: Conversation): void {
    this.#probes.delete(conversation);
    conversation.marked = false;
    this.#stalled.delete(conversation);
  }

  routesChanged(now: Instant, conversations: Iterable<Conversation>): void {
    this.unblock();
    for (const conversation of conversations) {
      if (!conversation.down.outstanding || conversation.detached) continue;
      conversation.wait = SETTLE;
      const { due } = conversation;
      if (due === undefined || due > now + SETTLE) this.#probes.set(conversation, now + SETTLE);
    }
  }

  unblock(): void {
    for (const conversation of this.#stalled) this.mark(conversation);
    this.#stalled.clear();
  }

  flush(now: Instant): void {
    if (this.#dirty.length === 0) return;
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const conversation of dirty) if (conversation.marked) this.#pump(now, conversation);
  }

  nextWake(): Instant | undefined {
    return this.#probes.next();
  }

  wake(now: Instant): void {
    for (let due = this.#probes.take(now); due !== undefined; due = this.#probes.take(now)) this.#probe(now, due);
  }

  receipt(to: NodeHash, id: MessageId, receipt: Receipt, flags = 0): void {
    this.#frames.send({ kind: FRAME.receipt, to, id, flags }, encodeReceipt(receipt));
  }

  reset(to: NodeHash, id: MessageId, error: MeshError): void {
    this.#frames.send({ kind: FRAME.reset, to, id }, encodeError(error));
  }

  #pump(now: Instant, conversation: Conversation): void {
    conversation.marked = false;
    const { down, id, peer } = conversation;
    // A sender that has just joined may be known here a moment later than its message.
    if (!this.#port.hasRoute(peer.high, peer.low)) {
      this.#stalled.add(conversation);
      return;
    }
    if (conversation.phase === "refused") return this.#sayRefused(conversation);
    this.#sayRunning(conversation);
    this.#sendChunks(conversation);
    if (conversation.receiptDue) {
      conversation.receiptDue = false;
      this.receipt(peer, id, { type: "accepted" }, conversation.hold ? FLAG.hold : 0);
    }
    if (down.outstanding && !conversation.detached && conversation.due === undefined)
      this.#probes.set(conversation, now + conversation.wait);
  }

  /** `more`: more is being written. */
  #sendChunks(conversation: Conversation, more = false): void {
    const { down, id, peer } = conversation;
    while (!conversation.detached) {
      if (this.#port.congested(peer.high, peer.low)) {
        this.#stalled.add(conversation);
        break;
      }
      const chunk = down.take(more);
      if (chunk === undefined) break;
      this.#frames.sendChunk(peer, id, chunk, conversation.receiptDue ? FLAG.accepted : 0, conversation.generation);
      conversation.receiptDue = false;
    }
  }

  #sayRunning(conversation: Conversation): void {
    if (!conversation.runningDue) return;
    conversation.runningDue = false;
    conversation.down.write(runningRecord(), undefined, conversation.responses + 1);
  }

  #sayRefused(conversation: Conversation): void {
    if (conversation.error === undefined || !conversation.receiptDue) return;
    conversation.receiptDue = false;
    this.receipt(conversation.peer, conversation.id, { type: "refused", error: conversation.error });
  }

  #probe(now: Instant, conversation: Conversation): void {
    const { down, peer, id, generation } = conversation;
    if (!down.outstanding || conversation.detached) return;
    if (conversation.wait >= RESEND.first) this.#port.silent(peer.high, peer.low, conversation.wait / 2);
    if (this.#port.hasRoute(peer.high, peer.low)) {
      const nothing = { offset: down.sent, bytes: new Uint8Array(0), from: 0, to: 0, fin: false, roomy: false };
      this.#frames.sendChunk(peer, id, nothing, FLAG.probe | FLAG.accepted, generation);
    }
    this.#probes.set(conversation, now + conversation.wait);
    conversation.wait = Math.min(RESEND.most, conversation.wait * 2);
  }
}
