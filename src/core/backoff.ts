import type { Millis, Random } from "./instant.ts";

export interface BackoffOptions {
  readonly initial: Millis;
  readonly factor: number;
  readonly maximum: Millis;
}

/**
 * Exponential backoff with full jitter: each wait is uniform between 0 and a ceiling that grows by `factor`.
 * Source: M. Brooker, "Exponential Backoff And Jitter", 2015.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #ceiling: Millis;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#ceiling = options.initial;
  }

  next(): Millis {
    const wait = this.#random() * this.#ceiling;
    this.#ceiling = Math.min(this.#options.maximum, this.#ceiling * this.#options.factor);
    return wait;
  }

  reset(): void {
    this.#ceiling = this.#options.initial;
  }
}
