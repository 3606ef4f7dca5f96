import { MeshError } from "../../core/errors.ts";
import type { MessageId, NodeId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import type { NodeHash } from "../../core/node-hash.ts";
import type { Timed } from "../../core/timers.ts";
import type { Acknowledgement } from "../../wire/acknowledgement.ts";
import { OFFSET } from "../../wire/frame.ts";
import type { AckQueue, AckSource } from "../streams/ack-queue.ts";
import type { Frames } from "../frames.ts";
import type { Issued, MessageIds } from "../message-ids.ts";
import type { Outbox } from "./outbox.ts";
import type { ParkQueue } from "../parking/park-queue.ts";
import type { DeliveryPort, OriginEvents } from "../ports.ts";
import { StreamReceiver } from "../streams/stream-receiver.ts";
import type { StreamSender } from "../streams/stream-sender.ts";

export interface SendRequest {
  readonly node: NodeId;
  /** From `encodeMetadata`. */
  readonly metadata: Uint8Array;
  readonly payload: Uint8Array;
  readonly streamed: boolean;
  readonly ttl: Millis;
  readonly deadline: Millis | undefined;
  readonly durable: boolean;
  readonly hold: boolean;
}

/** How far a message has come, as its origin knows. */
export type OriginPhase = "storing" | "waiting" | "sent" | "parked" | "attaching" | "accepted" | "over";

export const RESEND = { first: 1_000, most: 15_000 } as const;

/** What a conversation begins with. */
export interface ConversationFacts {
  readonly id: MessageId;
  readonly node: NodeId;
  readonly to: NodeHash;
  readonly frame: Uint8Array;
  readonly expiresAt: Instant;
  readonly durable: boolean;
  readonly hold: boolean;
  readonly up: StreamSender | undefined;
  /** Undefined: an earlier life of this node, or another, has made its id. */
  readonly issued: Issued | undefined;
}

/** What the origin holds of one message. */
export class Conversation implements AckSource, Timed {
  readonly id: MessageId;
  readonly node: NodeId;
  readonly to: NodeHash;
  readonly durable: boolean;
  readonly hold: boolean;
  readonly issued: Issued | undefined;
  frame: Uint8Array;
  readonly expiresAt: Instant;
  up: StreamSender | undefined;
  phase: OriginPhase = "waiting";
  /** Copies sent that could have begun as work in the life or store that they are bound to. */
  copies = 0;
  bound = 0;
  /** Copies of which it is known that they ended on their way: refused, or at the hop limit. */
  ended = 0;
  parkedAt: NodeId | undefined = undefined;
  custody = false;
  /** Routes have changed since it was parked elsewhere: another copy may find a way. */
  moved = false;
  /** The node that was left with it may have bound it to a life that is not known here, and sent it on. */
  released = false;
  wait: Millis = RESEND.first;
  cancelled: MeshError | undefined = undefined;
  down = new StreamReceiver();
  generation = 0;
  inputBlocked = false;
  attachFrom = 0;
  /** The worker asked how far the responses have come. */
  probed = false;
  /** Why it is over, where its sender cannot be told before `send` has returned. */
  failed: MeshError | undefined = undefined;
  /** Nobody follows it any more, but it is to be delivered. */
  left = false;
  /** Since when there has been no route to its worker. */
  lostAt: Instant | undefined = undefined;
  due: Instant | undefined = undefined;
  place = 0;
  queued: AckSource["queued"] = undefined;

  constructor(facts: ConversationFacts) {
    this.id = facts.id;
    this.node = facts.node;
    this.to = facts.to;
    this.durable = facts.durable;
    this.hold = facts.hold;
    this.issued = facts.issued;
    this.frame = facts.frame;
    this.expiresAt = facts.expiresAt;
    this.up = facts.up;
  }

  take(): Acknowledgement {
    const { id, down, generation, probed } = this;
    const { gap, done, offset, window } = down;
    this.probed = false;
    down.acknowledged();
    return { id, upward: false, gap, probed, done, detached: false, generation, offset, window };
  }
}

/** After its time to live a message may have been accepted all the same; so long its receipt may take. */
export const GRACE = 2_000;
export const WATCH = 30_000;
/** How often a node where a message waits is asked whether it still has it: from the first, doubling to the most. */
export const CUSTODY = { first: 5_000, most: 60_000 } as const;
/** After a change of routes: time for it to settle before what is unanswered is sent again. */
export const SETTLE = 100;

/** What is the same for all that only follow a work. */
export const FOLLOWING = { frame: new Uint8Array(0), durable: false, hold: false, up: undefined, issued: undefined } as const;

/** Ways lead in circles for a moment while routes settle: so many copies may end there before it is taken for the message's end. */
const CIRCLES = 3;

/** Counts a copy that failed on its way. Is the message over with it? Only where no other copy may have arrived, or arrive yet. */
export function isOver(now: Instant, conversation: Conversation, { code }: MeshError): boolean {
  if (conversation.cancelled !== undefined || (code === "EXPIRED" && now >= conversation.expiresAt)) return true;
  conversation.ended++;
  const circles = code === "HOP_LIMIT" && now < conversation.expiresAt;
  return conversation.ended >= (circles ? Math.max(CIRCLES, conversation.copies) : conversation.copies);
}

/** Its time to live is 0: it may not wait. */
export function isNow(frame: Uint8Array): boolean {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(OFFSET.ttl) === 0;
}

/** A time to live as it travels: whole milliseconds in 32 bits. */
export function ttlField(ttl: Millis): number {
  return Math.max(0, Math.min(0xffff_ffff, Math.floor(ttl)));
}

/** Its time to live ran out. */
export function expired(conversation: Conversation): MeshError {
  const where = conversation.parkedAt;
  return new MeshError(
    "EXPIRED",
    where === undefined
      ? `no receipt from ${conversation.node} within the time to live`
      : `the time to live ran out at ${where}, where the message waited for a route to ${conversation.node}`,
    {
      data: where === undefined ? { node: conversation.node } : { node: conversation.node, where },
    },
  );
}

export function noRoute(conversation: Conversation): MeshError {
  return new MeshError("NO_ROUTE", `there is no route to ${conversation.node}`, { data: { node: conversation.node } });
}

/** Nobody here reads this stream: it is kept for whoever attaches. */
export function unknownReader(id: MessageId, generation: number, offset: number): Acknowledgement {
  return { id, upward: false, gap: false, probed: false, done: false, detached: true, generation, offset, window: 0 };
}

/** What the sender's end works with. */
export interface OriginRooms {
  readonly port: DeliveryPort;
  readonly frames: Frames;
  readonly acks: AckQueue;
  readonly ids: MessageIds;
  readonly park: ParkQueue;
  readonly outbox: Outbox;
  readonly events: OriginEvents;
}

/** A piece of a response stream, as it came. */
export interface ResponseChunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly fin: boolean;
  readonly probe: boolean;
  readonly accepted: boolean;
  readonly generation: number;
  readonly from: NodeHash;
}
