import type { MeshError } from "../core/errors.ts";
import { fromUtf8Lossy, utf8 } from "../core/bytes.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";
import type { NodeHash } from "../core/node-hash.ts";
import { OFFSET, ROUTED_HEADER } from "../wire/frame.ts";
import { readMessage } from "../wire/message.ts";
import { readMessageId } from "../wire/message-id.ts";
import type { Deletions } from "./deletions.ts";
import type { DeliveryPort } from "./ports.ts";
import type { StoreClock } from "./store-clock.ts";

const PREFIX = "outbox/";
/** Before the frame: the age of the store at writing and the time to live, as floats; u8 length of the destination's id, and the id. */
const FIXED = 17;

export interface Outgoing {
  readonly id: MessageId;
  readonly node: NodeId;
  readonly to: NodeHash;
  readonly frame: Uint8Array;
  readonly ttl: Millis;
  readonly directive: string;
}

/** The origin's copies of durable messages, on disk from before they are sent until they are answered. */
export class Outbox {
  readonly #port: DeliveryPort;
  readonly #clock: StoreClock;
  readonly #deletions: Deletions;
  readonly #kept = new Set<MessageId>();

  constructor(port: DeliveryPort, clock: StoreClock, deletions: Deletions) {
    this.#port = port;
    this.#clock = clock;
    this.#deletions = deletions;
  }

  /** How many messages are on disk, or on their way there. */
  get size(): number {
    return this.#kept.size;
  }

  put(now: Instant, id: MessageId, node: NodeId, frame: Uint8Array, ttl: Millis, done: (error: MeshError | undefined) => void): void {
    const name = utf8(node);
    const value = new Uint8Array(FIXED + name.length + frame.length);
    const view = new DataView(value.buffer);
    this.#clock.use(now);
    this.#kept.add(id);
    view.setFloat64(0, this.#clock.age(now));
    view.setFloat64(8, ttl);
    view.setUint8(16, name.length);
    value.set(name, FIXED);
    value.set(frame, FIXED + name.length);
    this.#port.records.write([{ type: "put", key: PREFIX + id, value }], done);
  }

  /** `done` runs when it is off the disk, or could not be taken off. */
  remove(id: MessageId, done?: (error: MeshError | undefined) => void): void {
    this.#kept.delete(id);
    this.#deletions.delete([PREFIX + id], done);
  }

  restore(
    clock: () => Instant,
    done: (error: MeshError | undefined, entries: readonly Outgoing[]) => void,
    from = PREFIX,
    found: Outgoing[] = [],
  ): void {
    this.#port.records.scan({ from, to: `${PREFIX}~`, limit: 1000 }, (error, entries) => {
      for (const { value } of entries)
        if (value.length > FIXED && value.length >= FIXED + (value[16] as number) + ROUTED_HEADER) found.push(this.#read(clock(), value));
      const last = entries.at(-1);
      if (error !== undefined || last === undefined) return done(error, found);
      this.restore(clock, done, `${last.key}!`, found);
    });
  }

  #read(now: Instant, value: Uint8Array): Outgoing {
    const envelope = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const frameAt = FIXED + envelope.getUint8(16);
    const frame = value.slice(frameAt);
    const view = new DataView(frame.buffer);
    const id = readMessageId(frame, OFFSET.id);
    this.#kept.add(id);
    return {
      id,
      node: fromUtf8Lossy(value.subarray(FIXED, frameAt)) as NodeId,
      to: { high: view.getUint32(OFFSET.destination), low: view.getUint32(OFFSET.destination + 4) },
      frame,
      ttl: envelope.getFloat64(8) - this.#clock.since(envelope.getFloat64(0), now),
      directive: directiveOf(frame),
    };
  }
}

/** For the eyes of people: what cannot be read here is sent on all the same, and its destination says what is wrong. */
function directiveOf(frame: Uint8Array): string {
  try {
    return readMessage(frame, 0, frame.length).directive;
  } catch {
    return "";
  }
}
