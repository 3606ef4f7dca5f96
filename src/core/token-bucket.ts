import type { Instant, Millis } from "./instant.ts";

/** Admits `rate` tokens a second on average and `burst` at once. */
export class TokenBucket {
  readonly #rate: number;
  readonly #burst: number;
  #tokens: number;
  #at: Instant | undefined;

  constructor(rate: number, burst: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#tokens = burst;
  }

  take(now: Instant, count = 1): boolean {
    this.#refill(now);
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** Takes them also where there are fewer, which is owed. Returns for how many milliseconds. */
  spend(now: Instant, count: number): Millis {
    this.#refill(now);
    this.#tokens -= count;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#rate) * 1000;
  }

  /** When `count` tokens will be there. */
  readyAt(now: Instant, count = 1): Instant {
    this.#refill(now);
    return this.#tokens >= count ? now : now + ((count - this.#tokens) / this.#rate) * 1000;
  }

  #refill(now: Instant): void {
    if (this.#at !== undefined && now > this.#at) {
      this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1000) * this.#rate);
    }
    this.#at = now;
  }
}
