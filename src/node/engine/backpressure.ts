import { Deadlines } from "../../core/deadlines.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Wakeable } from "./agenda.ts";

/**
 * So long at most a neighbour that carries for others is not read for the sake of one link: a link that is in use empties its queue in that
 * time, and one whose reader has stopped would keep all others waiting with it.
 */
const PATIENCE: Millis = 100;

/** Chunks wait for their reader's credit, so that this much of them is no reason yet to read less. */
const CHUNKS = LIMITS.linkQueueMax / 2;

/** A link, as what feeds another or is fed. */
export interface Fed {
  readonly session: { readonly queuedBytes: number; pauseInput(): void; resumeInput(): void };
}

/** own: a message of the neighbour itself. message: one that it carries. other: chunks, receipts and the like. */
export type Brought = "own" | "message" | "other";

interface Waiting {
  /** Those that are not read, and whether it is for their own messages. */
  readonly feeders: Map<Fed, boolean>;
  /** The time that others may be kept waiting for it is over. */
  spent: boolean;
}

/**
 * Reads no more from neighbours that bring more for one link than it takes. For its own messages a neighbour waits until there is room. For what
 * it carries, and for answers, it waits once for 100 ms: then what finds no room is parked or dropped, and its sender sends it again.
 */
export class Backpressure implements Wakeable {
  readonly #waiting = new Map<Fed, Waiting>();
  readonly #patience = new Deadlines<Fed>();

  /** `from` has brought something for `to`, which is congested. */
  brought(now: Instant, from: Fed, to: Fed, what: Brought): void {
    if (what === "other" && to.session.queuedBytes < CHUNKS) return;
    const { feeders, spent } = this.#of(to);
    const lasting = what === "own";
    const known = feeders.get(from);
    if (known === undefined) {
      if (spent && !lasting) return;
      from.session.pauseInput();
    }
    feeders.set(from, lasting || known === true);
    if (!spent && this.#patience.get(to) === undefined) this.#patience.set(to, now + PATIENCE);
  }

  /** `to` takes bytes again, or is gone. */
  release(to: Fed): void {
    const waiting = this.#waiting.get(to);
    if (waiting === undefined) return;
    this.#waiting.delete(to);
    this.#patience.delete(to);
    for (const from of waiting.feeders.keys()) from.session.resumeInput();
  }

  /** The link is gone. */
  forget(link: Fed): void {
    this.release(link);
    for (const { feeders } of this.#waiting.values()) feeders.delete(link);
  }

  nextWake(): Instant | undefined {
    return this.#patience.next();
  }

  wake(now: Instant): void {
    for (let to = this.#patience.take(now); to !== undefined; to = this.#patience.take(now)) this.#giveUp(to);
  }

  #of(to: Fed): Waiting {
    let waiting = this.#waiting.get(to);
    if (waiting === undefined) {
      waiting = { feeders: new Map(), spent: false };
      this.#waiting.set(to, waiting);
    }
    return waiting;
  }

  #giveUp(to: Fed): void {
    const waiting = this.#waiting.get(to);
    if (waiting === undefined) return;
    waiting.spent = true;
    for (const [from, lasting] of waiting.feeders) {
      if (lasting) continue;
      waiting.feeders.delete(from);
      from.session.resumeInput();
    }
  }
}
