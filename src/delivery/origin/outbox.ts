import type { MeshError } from "../../core/errors.ts";
import { fromUtf8, utf8 } from "../../core/bytes.ts";
import { isNodeId, type MessageId, type NodeId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import { hashNodeId, isSameHash, type NodeHash } from "../../core/node-hash.ts";
import { OFFSET } from "../../wire/frame.ts";
import { readMessage } from "../../wire/message.ts";
import { readMessageId } from "../../wire/message-id.ts";
import { type Disk, restoreRecords, viewOf, whyNoMessage } from "../records/stored-records.ts";

const PREFIX = "outbox/";
/** Before the frame: the age of the store at writing and the time to live, as floats; u8 length of the destination's id, and the id. */
const FIXED = 17;

export interface Outgoing {
  readonly id: MessageId;
  readonly node: NodeId;
  readonly to: NodeHash;
  readonly frame: Uint8Array;
  readonly expiresAt: Instant;
  readonly directive: string;
}

/** The origin's copies of durable messages, on disk from before they are sent until they are answered. */
export class Outbox {
  readonly #disk: Disk;
  readonly #kept = new Set<MessageId>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** How many messages are on disk, or on their way there. */
  get size(): number {
    return this.#kept.size;
  }

  put(now: Instant, id: MessageId, node: NodeId, frame: Uint8Array, ttl: Millis, done: (error: MeshError | undefined) => void): void {
    const name = utf8(node);
    const value = new Uint8Array(FIXED + name.length + frame.length);
    const view = new DataView(value.buffer);
    this.#disk.clock.use(now);
    this.#kept.add(id);
    view.setFloat64(0, this.#disk.clock.age(now));
    view.setFloat64(8, ttl);
    view.setUint8(16, name.length);
    value.set(name, FIXED);
    value.set(frame, FIXED + name.length);
    this.#disk.port.records.write([{ type: "put", key: PREFIX + id, value }], done);
  }

  /** `done` runs when it is off the disk, or could not be taken off. */
  remove(id: MessageId, done?: (error: MeshError | undefined) => void): void {
    this.#kept.delete(id);
    this.#disk.deletions.delete([PREFIX + id], done);
  }

  /** Reads back what was sent and not answered; what cannot be read is reported and left out. */
  restore(clock: () => Instant, done: (error: MeshError | undefined, entries: readonly Outgoing[]) => void): void {
    const found: Outgoing[] = [];
    restoreRecords(
      this.#disk,
      "outbox",
      PREFIX,
      (name, value) => {
        const entry = this.#read(clock(), name, value);
        if (typeof entry === "string") return entry;
        this.#kept.add(entry.id);
        found.push(entry);
        return undefined;
      },
      (error) => done(error, found),
    );
  }

  #read(now: Instant, name: string, value: Uint8Array): Outgoing | string {
    if (value.length < FIXED) return "shorter than any record";
    const envelope = viewOf(value);
    const frameAt = FIXED + envelope.getUint8(16);
    const why = whyNoMessage(value, frameAt);
    if (why !== undefined) return why;
    const frame = value.slice(frameAt);
    const view = viewOf(frame);
    const id = readMessageId(frame, OFFSET.id);
    if (id !== name) return "another message than its key says";
    const to = { high: view.getUint32(OFFSET.destination), low: view.getUint32(OFFSET.destination + 4) };
    const node = fromUtf8(value.subarray(FIXED, frameAt));
    if (!isNodeId(node) || !isSameHash(hashNodeId(node), to)) return "for another node than it says";
    const ttl = envelope.getFloat64(8) - this.#disk.clock.since(envelope.getFloat64(0), now);
    return Number.isFinite(ttl) ? { id, node, to, frame, expiresAt: now + ttl, directive: directiveOf(frame) } : "without a time to live";
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
