import type { NodeId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import { hashNodeId } from "../../core/node-hash.ts";
import type { Timers } from "../../core/timers.ts";
import { FLAG, FRAME } from "../../wire/frame.ts";
import type { Frames } from "../frames.ts";
import type { DeliveryPort, OriginEvents } from "../ports.ts";
import { type Conversation, CUSTODY, GRACE, RESEND } from "./conversation.ts";

export interface KeeperRooms {
  readonly port: DeliveryPort;
  readonly frames: Frames;
  readonly timers: Timers<Conversation>;
  readonly events: OriginEvents;
  /** Takes out a copy that waits at the origin itself. */
  readonly unpark: (conversation: Conversation) => void;
}

/** The nodes where messages of this origin wait: what is left to them, and what they are asked. SPEC.md says what custody is. */
export class Keepers {
  readonly #self: NodeId;
  readonly #bind: boolean;
  readonly #rooms: KeeperRooms;

  constructor({ self, keepersBind }: { readonly self: NodeId; readonly keepersBind: boolean }, rooms: KeeperRooms) {
    this.#self = self;
    this.#bind = keepersBind;
    this.#rooms = rooms;
  }

  /** Whether the message is bound where it waits, when it leaves from there. */
  binds(conversation: Conversation): boolean {
    return conversation.custody && this.#bind;
  }

  /** The node says that the message waits there. */
  parked(now: Instant, conversation: Conversation, node: NodeId, ttl: Millis): void {
    const first = conversation.parkedAt !== node;
    // It is left to one node at a time: this is word of an earlier stay, or of a later one while `released` is on its way.
    if (first && conversation.custody) return;
    if (first || conversation.phase !== "parked") conversation.wait = CUSTODY.first;
    conversation.phase = "parked";
    conversation.parkedAt = node;
    conversation.moved = false;
    if (!conversation.durable && conversation.copies === 1) {
      if (node !== this.#self) this.#rooms.unpark(conversation);
      conversation.custody = true;
      this.#leaveTo(node, conversation, 0);
    }
    const end = conversation.expiresAt + GRACE;
    const asked = conversation.custody || node !== this.#self;
    this.#rooms.timers.set(conversation, asked ? Math.min(end, now + conversation.wait) : end);
    if (first) this.#rooms.events.onParked(conversation.id, node, ttl);
  }

  /** Asks the node where the message waits whether it still has it: it may have sent it on, and the copy may be lost. */
  ask(now: Instant, conversation: Conversation, node: NodeId): void {
    this.#leaveTo(node, conversation, FLAG.probe | (conversation.custody ? 0 : FLAG.resent));
    conversation.wait = Math.min(CUSTODY.most, conversation.wait * 2);
    this.#rooms.timers.set(conversation, Math.min(now + conversation.wait, conversation.expiresAt));
  }

  /** The node that was left with the message has it no more: it may have sent it on, bound to a life that is not known here. */
  lost(now: Instant, conversation: Conversation, wait: Millis): void {
    conversation.custody = false;
    conversation.moved = true;
    conversation.released = this.#bind;
    conversation.copies = Math.max(conversation.copies, 1);
    conversation.wait = RESEND.first;
    this.#rooms.timers.set(conversation, now + wait);
  }

  /** To that node in its present life: the next one cannot know whether the message was bound and sent on before. */
  #leaveTo(node: NodeId, { id }: Conversation, flags: number): void {
    const { frames, port } = this.#rooms;
    const to = hashNodeId(node);
    frames.send({ kind: FRAME.custody, to, id, flags, auxiliary: port.lifeOf(to.high, to.low) });
  }
}
