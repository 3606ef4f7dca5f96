import { Deadlines } from "../../core/deadlines.ts";
import type { Instant } from "../../core/instant.ts";
import { TokenBucket } from "../../core/token-bucket.ts";
import type { Wakeable } from "./agenda.ts";

/** A neighbour whose frames are carried. */
export interface Carried {
  readonly session: { pauseInput(): void; resumeInput(): void };
}

/**
 * What each neighbour may have this node carry for it. Who brings more is read no further until it is within its rate again: nothing is lost,
 * and its own queues fill.
 */
export class Transit implements Wakeable {
  readonly #rate: number;
  readonly #buckets = new WeakMap<Carried, TokenBucket>();
  readonly #paused = new Deadlines<Carried>();

  /** `rate`: bytes a second of each neighbour; as much may come at once. */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** So many bytes of it were sent on. `true`: it is read no further until `nextWake`. */
  carried(now: Instant, link: Carried, bytes: number): boolean {
    let bucket = this.#buckets.get(link);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#rate, this.#rate);
      this.#buckets.set(link, bucket);
    }
    const wait = bucket.spend(now, bytes);
    if (wait === 0) return false;
    if (this.#paused.get(link) === undefined) link.session.pauseInput();
    this.#paused.set(link, now + wait);
    return true;
  }

  /** The link is gone. */
  forget(link: Carried): void {
    this.#paused.delete(link);
  }

  nextWake(): Instant | undefined {
    return this.#paused.next();
  }

  wake(now: Instant): void {
    for (let link = this.#paused.take(now); link !== undefined; link = this.#paused.take(now)) link.session.resumeInput();
  }
}
