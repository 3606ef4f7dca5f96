import type { Instant, Millis } from "../core/instant.ts";
import { ROUTING, scaled } from "./numbers.ts";

/** When to compute the paths anew (R9): soon after the first change, later after those that follow, rarely in a storm. */
export class Debounce {
  #last: Instant = Number.NEGATIVE_INFINITY;
  #wait: Millis = 0;
  #due: Instant | undefined;

  get due(): Instant | undefined {
    return this.#due;
  }

  /** Something far away changed. */
  request(now: Instant, nodes: number): void {
    if (this.#due !== undefined) return;
    if (this.#quiet(now)) {
      this.#wait = 0;
      this.#due = now + scaled(ROUTING.spfFirst, ROUTING.spfFirstPerNode, nodes);
    } else {
      this.#due = Math.max(now + scaled(ROUTING.spfFirst, ROUTING.spfFirstPerNode, nodes), this.#last + this.#wait);
    }
  }

  /** A link of this node changed: at once, unless the last computation was only just. */
  urge(now: Instant, nodes: number): void {
    const at = Math.max(now, this.#last + scaled(ROUTING.spfFirst, ROUTING.spfFirstPerNode, nodes));
    this.#due = this.#due === undefined ? at : Math.min(this.#due, at);
  }

  ran(now: Instant, nodes: number): void {
    this.#due = undefined;
    const next = scaled(ROUTING.spfNext, ROUTING.spfNextPerNode, nodes);
    this.#wait = this.#quiet(now)
      ? next
      : Math.min(Math.max(next, 2 * this.#wait), scaled(ROUTING.spfMaximum, ROUTING.spfMaximumPerNode, nodes));
    this.#last = now;
  }

  #quiet(now: Instant): boolean {
    return now - this.#last >= Math.max(ROUTING.spfQuiet, 2 * this.#wait);
  }
}
