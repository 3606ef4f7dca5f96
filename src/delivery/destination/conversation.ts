import type { MeshError } from "../../core/errors.ts";
import type { MessageId, NodeId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import { LIMITS } from "../../core/limits.ts";
import type { NodeHash } from "../../core/node-hash.ts";
import type { Timed } from "../../core/timers.ts";
import type { Acknowledgement } from "../../wire/acknowledgement.ts";
import type { AckSource } from "../streams/ack-queue.ts";
import { type Rested, RESTS } from "./archive.ts";
import { counterOf, laneOf } from "../message-ids.ts";
import type { Kept } from "./retention.ts";
import { StreamReceiver } from "../streams/stream-receiver.ts";
import { type Nursery, StreamSender } from "../streams/stream-sender.ts";

/** How long a probe waits for its answer at first, and at most. */
export const RESEND = { first: 1_000, most: 15_000 } as const;

/** journaling, offered: not answered yet. refused: answered, remembered for copies. accepted: its work is under way. ended: its responses are kept. */
export type DestinationPhase = "journaling" | "offered" | "refused" | "accepted" | "ended";

/** What the destination holds of one message. */
export interface Conversation extends Kept, Timed {
  readonly id: MessageId;
  readonly sender: NodeId;
  readonly origin: NodeHash;
  /** Its sender, or who attached last. */
  peer: NodeHash;
  readonly durable: boolean;
  readonly hold: boolean;
  readonly frame: Uint8Array | undefined;
  /** When no copy of it can come any more. */
  readonly until: Instant;
  phase: DestinationPhase;
  error: MeshError | undefined;
  /** Of an earlier life: its stream starts over, so whoever has read some of the former one is told this instead. */
  interrupted: MeshError | undefined;
  /** It has something to say at the end of the tick. */
  marked: boolean;
  receiptDue: boolean;
  /** That it began is to be said, with its first response or at the end of the tick. */
  runningDue: boolean;
  up: StreamReceiver | undefined;
  down: StreamSender;
  responses: number;
  generation: number;
  detached: boolean;
  blocked: boolean;
  wait: Millis;
  /** The sender asked how far the payload has come. */
  probed: boolean;
  /** The acknowledgements of a payload that is streamed. */
  acks: AckSource | undefined;
}

/** How every conversation begins: offered. */
export function newConversation(
  facts: {
    id: MessageId;
    sender: NodeId;
    peer: NodeHash;
    durable: boolean;
    hold: boolean;
    frame: Uint8Array | undefined;
    until: Instant;
    streamed: boolean;
  },
  nursery: Nursery,
): Conversation {
  const up = facts.streamed ? new StreamReceiver() : undefined;
  // Field by field, and without accessors: this runs for every message.
  const conversation: Conversation = {
    id: facts.id,
    lane: laneOf(facts.id),
    counter: counterOf(facts.id),
    sender: facts.sender,
    origin: facts.peer,
    peer: facts.peer,
    durable: facts.durable,
    hold: facts.hold,
    frame: facts.frame,
    until: facts.until,
    phase: "offered",
    error: undefined,
    interrupted: undefined,
    marked: false,
    receiptDue: false,
    runningDue: false,
    up,
    down: new StreamSender(LIMITS.retainedPerWork, nursery),
    responses: 0,
    generation: 0,
    detached: false,
    blocked: false,
    wait: RESEND.first,
    probed: false,
    acks: undefined,
    keptUntil: undefined,
    keptBytes: 0,
    keptBefore: undefined,
    keptAfter: undefined,
    due: undefined,
    place: 0,
  };
  if (up !== undefined) conversation.acks = new PayloadAcks(conversation, up);
  return conversation;
}

/** What is to be kept of a work that has ended, when its reader has all of it; undefined: more than that. */
export function restedFrom(conversation: Conversation, nursery: Nursery): Rested | undefined {
  const { phase, down, durable, up, interrupted, receiptDue, sender, origin, hold, responses, generation } = conversation;
  if (phase !== "ended" || !down.done || durable || up !== undefined || interrupted !== undefined || receiptDue) return undefined;
  const stream = down.whole(RESTS, nursery);
  if (stream === undefined) return undefined;
  return { sender, originHigh: origin.high, originLow: origin.low, hold, responses, generation, stream };
}

/** An ended work that somebody follows again. */
export function resumed(id: MessageId, rested: Rested, nursery: Nursery): Conversation {
  const { sender, originHigh, originLow, hold, responses, generation, stream } = rested;
  const peer = { high: originHigh, low: originLow };
  const facts = { id, sender, peer, durable: false, hold, frame: undefined, until: -Infinity, streamed: false };
  const conversation = newConversation(facts, nursery);
  conversation.phase = "ended";
  conversation.responses = responses;
  conversation.generation = generation;
  conversation.down = StreamSender.of(stream, LIMITS.retainedPerWork);
  return conversation;
}

/** Acknowledges the payload of one message to whoever sends it. */
class PayloadAcks implements AckSource {
  queued: AckSource["queued"] = undefined;
  readonly #conversation: Conversation;
  readonly #up: StreamReceiver;

  constructor(conversation: Conversation, up: StreamReceiver) {
    this.#conversation = conversation;
    this.#up = up;
  }

  get to(): NodeHash {
    return this.#conversation.peer;
  }

  take(): Acknowledgement {
    return acknowledgementOf(this.#conversation, this.#up);
  }
}

function acknowledgementOf(conversation: Conversation, up: StreamReceiver): Acknowledgement {
  const { id, probed } = conversation;
  const entry = {
    id,
    upward: true,
    gap: up.gap,
    probed,
    done: up.done,
    detached: false,
    generation: 0,
    offset: up.offset,
    window: up.window,
  };
  conversation.probed = false;
  up.acknowledged();
  return entry;
}
