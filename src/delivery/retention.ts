import { Deadlines } from "../core/deadlines.ts";
import type { MessageId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";

const MOST = 100_000;
const NOBODY: readonly MessageId[] = [];

/** Which ended works are still kept for a sender that comes back: for a time, and within a number and a sum of bytes; the oldest go first. */
export class Retention {
  readonly #life: Millis;
  readonly #kept = new Map<MessageId, number>();
  readonly #until = new Deadlines<MessageId>();
  #bytes = 0;

  constructor(life: Millis) {
    this.#life = life;
  }

  /** Returns those that have to go to make room. */
  keep(now: Instant, id: MessageId, bytes: number): readonly MessageId[] {
    this.#kept.set(id, bytes);
    this.#bytes += bytes;
    this.#until.set(id, now + this.#life);
    if (this.#bytes <= LIMITS.retained && this.#kept.size <= MOST) return NOBODY;
    const gone: MessageId[] = [];
    for (const [oldest, size] of this.#kept) {
      if ((this.#bytes <= LIMITS.retained && this.#kept.size <= MOST) || oldest === id) break;
      this.#remove(oldest, size);
      gone.push(oldest);
    }
    return gone;
  }

  /** A kept work holds so many bytes now. */
  resize(id: MessageId, bytes: number): void {
    const before = this.#kept.get(id);
    if (before === undefined) return;
    this.#kept.set(id, bytes);
    this.#bytes += bytes - before;
  }

  nextWake(): Instant | undefined {
    return this.#until.next();
  }

  wake(now: Instant): readonly MessageId[] {
    const gone: MessageId[] = [];
    for (let id = this.#until.take(now); id !== undefined; id = this.#until.take(now)) {
      this.#remove(id, this.#kept.get(id) ?? 0);
      gone.push(id);
    }
    return gone;
  }

  #remove(id: MessageId, size: number): void {
    this.#kept.delete(id);
    this.#until.delete(id);
    this.#bytes = Math.max(0, this.#bytes - size);
  }
}
