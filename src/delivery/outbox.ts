import type { MeshError } from "../core/errors.ts";
import { fromUtf8Lossy, utf8 } from "../core/bytes.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import type { Millis } from "../core/instant.ts";
import type { NodeHash } from "../core/node-hash.ts";
import { OFFSET, ROUTED_HEADER } from "../wire/frame.ts";
import { readMessage } from "../wire/message.ts";
import { readMessageId } from "../wire/message-id.ts";
import type { DeliveryPort } from "./ports.ts";

const PREFIX = "outbox/";
/** Before the frame: wall time of sending and time to live, as floats; u8 length of the destination's id, and the id. */
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

  constructor(port: DeliveryPort) {
    this.#port = port;
  }

  put(id: MessageId, node: NodeId, frame: Uint8Array, ttl: Millis, done: (error: MeshError | undefined) => void): void {
    const name = utf8(node);
    const value = new Uint8Array(FIXED + name.length + frame.length);
    const view = new DataView(value.buffer);
    view.setFloat64(0, this.#port.wallClock());
    view.setFloat64(8, ttl);
    view.setUint8(16, name.length);
    value.set(name, FIXED);
    value.set(frame, FIXED + name.length);
    this.#port.records.write([{ type: "put", key: PREFIX + id, value }], done);
  }

  /** A copy that stays by a fault is sent again after a restart, and the destination knows it. */
  remove(id: MessageId): void {
    this.#port.records.write([{ type: "delete", key: PREFIX + id }], () => undefined);
  }

  restore(done: (error: MeshError | undefined, entries: readonly Outgoing[]) => void, from = PREFIX, found: Outgoing[] = []): void {
    this.#port.records.scan({ from, to: `${PREFIX}~`, limit: 1000 }, (error, entries) => {
      for (const { value } of entries)
        if (value.length > FIXED && value.length >= FIXED + (value[16] as number) + ROUTED_HEADER) found.push(this.#read(value));
      const last = entries.at(-1);
      if (error !== undefined || last === undefined) return done(error, found);
      this.restore(done, `${last.key}!`, found);
    });
  }

  #read(value: Uint8Array): Outgoing {
    const envelope = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const frameAt = FIXED + envelope.getUint8(16);
    const frame = value.slice(frameAt);
    const view = new DataView(frame.buffer);
    const off = Math.max(0, this.#port.wallClock() - envelope.getFloat64(0));
    return {
      id: readMessageId(frame, OFFSET.id),
      node: fromUtf8Lossy(value.subarray(FIXED, frameAt)) as NodeId,
      to: { high: view.getUint32(OFFSET.destination), low: view.getUint32(OFFSET.destination + 4) },
      frame,
      ttl: envelope.getFloat64(8) - off,
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
