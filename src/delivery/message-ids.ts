import type { MessageId } from "../core/ids.ts";
import { readMessageId } from "../wire/message-id.ts";

const LANE_BYTES = 12;
const WINDOW = 1 << 16;

/** What its maker knows of an id. */
export interface Issued {
  readonly id: MessageId;
  /** What goes with its message: below it all of its lane has ended. */
  readonly floor: number;
  readonly counter: number;
  readonly lane: Lane;
}

/** 12 random bytes that no other lane of any node has. */
export type RandomBytes = (count: number) => Uint8Array;

/**
 * Makes message ids: a UUID (version 8, RFC 9562) of a random lane and a counter. With each message goes the lane's floor, below which the sender
 * has ended everything: so a destination remembers what it has seen in a few bits a message, and for as long as it must.
 */
export class MessageIds {
  readonly #random: RandomBytes;
  #lane: Lane;

  constructor(random: RandomBytes) {
    this.#random = random;
    this.#lane = this.#newLane();
  }

  next(): Issued {
    // A lane whose oldest message does not end would make its window grow without a limit at every destination.
    if (this.#lane.next - this.#lane.floor >= WINDOW || this.#lane.next >= 0xffff_ffff) this.#lane = this.#newLane();
    const lane = this.#lane;
    const counter = lane.next++;
    setLive(lane, counter, true);
    lane.view.setUint32(LANE_BYTES, counter);
    return { id: readMessageId(lane.bytes, 0), floor: lane.floor, counter, lane };
  }

  /** No copy of this message will be sent any more. */
  ended({ lane, counter }: Issued): void {
    if (counter < lane.floor) return;
    setLive(lane, counter, false);
    while (lane.floor < lane.next && !isLive(lane, lane.floor)) lane.floor++;
  }

  #newLane(): Lane {
    const bytes = new Uint8Array(16);
    bytes.set(this.#random(LANE_BYTES));
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80;
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    return { bytes, view: new DataView(bytes.buffer), next: 0, floor: 0, live: new Uint32Array(WINDOW / 32) };
  }
}

interface Lane {
  /** Of the id made last. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  next: number;
  floor: number;
  /** A bit for each message from the floor on that has not ended. */
  readonly live: Uint32Array;
}

function isLive({ live }: Lane, counter: number): boolean {
  const bit = counter % WINDOW;
  return ((live[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
}

function setLive({ live }: Lane, counter: number, on: boolean): void {
  const bit = counter % WINDOW;
  const mask = 1 << (bit & 31);
  live[bit >>> 5] = on ? (live[bit >>> 5] as number) | mask : (live[bit >>> 5] as number) & ~mask;
}

/** All of an id but its counter. */
export function laneOf(id: MessageId): string {
  return takenApart(id).lane;
}

export function counterOf(id: MessageId): number {
  return takenApart(id).counter;
}

/** The id that was asked for last: each is asked for several times, and messages of one lane come in a row. */
const recent = { id: "", lane: "", counter: 0 };

function takenApart(id: MessageId): typeof recent {
  if (id === recent.id) return recent;
  recent.id = id;
  if (recent.lane === "" || !id.startsWith(recent.lane)) recent.lane = id.slice(0, 28);
  recent.counter = readCounter(id);
  return recent;
}

function readCounter(id: MessageId): number {
  let counter = 0;
  for (let i = 28; i < 36; i++) {
    const code = id.charCodeAt(i);
    counter = counter * 16 + (code < 58 ? code - 48 : code - 87);
  }
  return counter;
}
