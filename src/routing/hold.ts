import type { Instant, Millis } from "../core/instant.ts";
import { ROUTING } from "./numbers.ts";

/**
 * Keeps the floods of one origin apart (R8): the first goes at once, the next few 100 ms apart, and while the storm goes on
 * the distance doubles. Quiet makes all good.
 */
export class Hold {
  #last: Instant;
  #interval: Millis = ROUTING.hold;
  #dense = 0;

  constructor(last: Instant = Number.NEGATIVE_INFINITY) {
    this.#last = last;
  }

  /** When the next one may go. */
  get readyAt(): Instant {
    return this.#last + this.#interval;
  }

  /** One goes now. `maximum` bounds the distance to the next. */
  passed(now: Instant, maximum: Millis): void {
    const gap = now - this.#last;
    this.#last = now;
    if (gap >= Math.max(ROUTING.holdQuiet, 2 * this.#interval)) {
      this.#interval = ROUTING.hold;
      this.#dense = 0;
    } else if (gap < 1.5 * this.#interval && ++this.#dense > ROUTING.holdFree) {
      this.#interval = Math.max(ROUTING.hold, Math.min(maximum, 2 * this.#interval));
    }
  }
}
