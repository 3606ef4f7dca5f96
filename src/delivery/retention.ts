import type { MessageId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";

const MOST = 100_000;
const NOBODY: readonly MessageId[] = [];

interface Kept {
  readonly id: MessageId;
  readonly until: Instant;
  bytes: number;
}

/**
 * Which ended works are still kept for a sender that comes back: for a time, and within a number and a sum of bytes; the oldest go first.
 * All are kept equally long, so that the order of their ends is the order of their going, and a work costs no place in a heap.
 */
export class Retention {
  readonly #life: Millis;
  readonly #kept = new Map<MessageId, Kept>();
  /** Oldest first, from `#head` on. */
  #queue: Kept[] = [];
  #head = 0;
  #bytes = 0;

  constructor(life: Millis) {
    this.#life = life;
  }

  /** Returns those that have to go to make room. */
  keep(now: Instant, id: MessageId, bytes: number): readonly MessageId[] {
    const entry = { id, until: now + this.#life, bytes };
    this.#kept.set(id, entry);
    this.#queue.push(entry);
    this.#bytes += bytes;
    if (this.#bytes <= LIMITS.retained && this.#kept.size <= MOST) return NOBODY;
    const gone: MessageId[] = [];
    while (this.#bytes > LIMITS.retained || this.#kept.size > MOST) {
      const oldest = this.#queue[this.#head];
      if (oldest === undefined || oldest === entry) break;
      gone.push(this.#shift(oldest));
    }
    return gone;
  }

  /** A kept work holds so many bytes now. */
  resize(id: MessageId, bytes: number): void {
    const entry = this.#kept.get(id);
    if (entry === undefined) return;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
  }

  nextWake(): Instant | undefined {
    return this.#queue[this.#head]?.until;
  }

  wake(now: Instant): readonly MessageId[] {
    const gone: MessageId[] = [];
    for (let oldest = this.#queue[this.#head]; oldest !== undefined && oldest.until <= now; oldest = this.#queue[this.#head])
      gone.push(this.#shift(oldest));
    return gone;
  }

  #shift(oldest: Kept): MessageId {
    this.#head++;
    if (this.#head >= 1_024 && this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#kept.delete(oldest.id);
    this.#bytes -= oldest.bytes;
    return oldest.id;
  }
}
