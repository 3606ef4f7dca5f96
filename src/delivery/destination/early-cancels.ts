import type { MessageId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import { isSameHash, type NodeHash } from "../../core/node-hash.ts";

/** How long a cancel waits for its message, and how many do. */
const LIFE: Millis = 300_000;
const MOST = 10_000;

/** Cancels that came before their messages did: a message that was taken back on its way does not run. */
export class EarlyCancels {
  readonly #waiting = new Map<MessageId, { readonly from: NodeHash; readonly until: Instant }>();

  /** Where there are too many the oldest is forgotten. */
  add(now: Instant, id: MessageId, from: NodeHash): void {
    if (this.#waiting.size >= MOST) for (const first of this.#waiting.keys()) if (this.#waiting.delete(first)) break;
    this.#waiting.set(id, { from, until: now + LIFE });
  }

  /** Whether the sender of the message took it back; then that is forgotten. */
  take(id: MessageId, sender: NodeHash): boolean {
    const early = this.#waiting.get(id);
    return early !== undefined && isSameHash(early.from, sender) && this.#waiting.delete(id);
  }

  wake(now: Instant): void {
    for (const [id, { until }] of this.#waiting) {
      if (until > now) break;
      this.#waiting.delete(id);
    }
  }
}
