import { Deadlines } from "../../core/deadlines.ts";
import type { MeshError } from "../../core/errors.ts";
import { isMessageId, type MessageId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import { OFFSET } from "../../wire/frame.ts";
import { type MessageBody, readMessage } from "../../wire/message.ts";
import { readMessageId } from "../../wire/message-id.ts";
import { type Disk, restoreRecords, viewOf, whyNoMessage } from "../records/stored-records.ts";

const PREFIX = "journal/";
/** Before the frame: u8 whether the work has ended. */
const ENVELOPE = 1;
const RUNNING = 0;
const ENDED = 1;

export interface Journaled {
  readonly id: MessageId;
  readonly frame: Uint8Array;
  readonly body: MessageBody;
  readonly ended: boolean;
  /** The message's time to live when it arrived. What of it is over is not counted: a clock that jumped must not make the node forget. */
  readonly ttl: Millis;
}

/** What the journal gives back after a restart. */
export interface JournalContent {
  readonly entries: readonly Journaled[];
  /** Messages that were taken here, and of which no more than that can be read. */
  readonly unreadable: readonly MessageId[];
}

/** The destination's record of durable messages, on disk from before they are answered: so no restart runs one twice. */
export class Journal {
  readonly #disk: Disk;
  readonly #kept = new Set<MessageId>();
  readonly #until = new Deadlines<MessageId>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  put(id: MessageId, frame: Uint8Array, ended: boolean, done: (error: MeshError | undefined) => void): void {
    const value = new Uint8Array(ENVELOPE + frame.length);
    value[0] = ended ? ENDED : RUNNING;
    value.set(frame, ENVELOPE);
    this.#kept.add(id);
    this.#disk.port.records.write([{ type: "put", key: PREFIX + id, value }], done);
  }

  /** How many messages are on disk, or on their way there. */
  get size(): number {
    return this.#kept.size;
  }

  /** The message has been here. */
  has(id: MessageId): boolean {
    return this.#kept.has(id);
  }

  remove(id: MessageId): void {
    this.#kept.delete(id);
    this.#until.delete(id);
    this.#disk.deletions.delete([PREFIX + id]);
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

  /** Reads back what was taken; what cannot be read is reported and left out. */
  restore(done: (error: MeshError | undefined, content: JournalContent) => void): void {
    const entries: Journaled[] = [];
    restoreRecords(
      this.#disk,
      "journal",
      PREFIX,
      (name, value) => {
        const entry = read(name, value);
        if (typeof entry === "string") return entry;
        this.#kept.add(entry.id);
        entries.push(entry);
        return undefined;
      },
      (error, unreadable) => done(error, { entries, unreadable: unreadable.filter(isMessageId) }),
    );
  }
}

/** What a record says, or why it cannot be read. */
function read(name: string, value: Uint8Array): Journaled | string {
  const why = whyNoMessage(value, ENVELOPE);
  if (why !== undefined) return why;
  const state = value[0];
  if (state !== RUNNING && state !== ENDED) return "neither running nor ended";
  const frame = value.slice(ENVELOPE);
  const id = readMessageId(frame, OFFSET.id);
  if (id !== name) return "another message than its key says";
  try {
    const body = readMessage(frame, 0, frame.length);
    return { id, frame, body, ended: state === ENDED, ttl: viewOf(frame).getUint32(OFFSET.ttl) };
  } catch {
    return "a message whose body cannot be read";
  }
}
