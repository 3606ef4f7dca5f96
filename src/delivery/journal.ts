import { Deadlines } from "../core/deadlines.ts";
import type { MeshError } from "../core/errors.ts";
import type { MessageId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";
import { OFFSET, ROUTED_HEADER } from "../wire/frame.ts";
import { readMessageId } from "../wire/message-id.ts";
import type { Deletions } from "./deletions.ts";
import type { DeliveryPort } from "./ports.ts";

const PREFIX = "journal/";
/** Before the frame: u8 whether the work has ended. */
const ENVELOPE = 1;

export interface Journaled {
  readonly id: MessageId;
  readonly frame: Uint8Array;
  readonly ended: boolean;
  /** The message's time to live when it arrived. What of it is over is not counted: a clock that jumped must not make the node forget. */
  readonly ttl: Millis;
}

/** The destination's record of durable messages, on disk from before they are answered: so no restart runs one twice. */
export class Journal {
  readonly #port: DeliveryPort;
  readonly #deletions: Deletions;
  readonly #kept = new Set<MessageId>();
  readonly #until = new Deadlines<MessageId>();

  constructor(port: DeliveryPort, deletions: Deletions) {
    this.#port = port;
    this.#deletions = deletions;
  }

  put(id: MessageId, frame: Uint8Array, ended: boolean, done: (error: MeshError | undefined) => void): void {
    const value = new Uint8Array(ENVELOPE + frame.length);
    value[0] = ended ? 1 : 0;
    value.set(frame, ENVELOPE);
    this.#kept.add(id);
    this.#port.records.write([{ type: "put", key: PREFIX + id, value }], done);
  }

  /** How many messages are on disk, or on their way there. */
  get size(): number {
    return this.#kept.size;
  }

  remove(id: MessageId): void {
    this.#kept.delete(id);
    this.#until.delete(id);
    this.#deletions.delete([PREFIX + id]);
  }

  /** Nobody asks for it any more; but until then a copy may still come, also to a later life, and must not run. */
  release(id: MessageId, until: Instant): void {
    if (this.#kept.has(id)) this.#until.set(id, until);
  }

  nextWake(): Instant | undefined {
    return this.#until.next();
  }

  wake(now: Instant): void {
    for (let id = this.#until.take(now); id !== undefined; id = this.#until.take(now)) this.remove(id);
  }

  restore(done: (error: MeshError | undefined, entries: readonly Journaled[]) => void, from = PREFIX, found: Journaled[] = []): void {
    this.#port.records.scan({ from, to: `${PREFIX}~`, limit: 1000 }, (error, entries) => {
      for (const { value } of entries) if (value.length >= ENVELOPE + ROUTED_HEADER) found.push(this.#read(value));
      const last = entries.at(-1);
      if (error !== undefined || last === undefined) return done(error, found);
      this.restore(done, `${last.key}!`, found);
    });
  }

  #read(value: Uint8Array): Journaled {
    const frame = value.slice(ENVELOPE);
    const id = readMessageId(frame, OFFSET.id);
    this.#kept.add(id);
    return { id, frame, ended: value[0] === 1, ttl: new DataView(frame.buffer).getUint32(OFFSET.ttl) };
  }
}
