import type { Instant, Millis } from "./instant.ts";
import { LIMITS } from "./limits.ts";

/** Time that a connection has at least, before one that comes later may take its place. */
const GRACE: Millis = 500;

/** A connection that has not shown who it is. */
export interface Stranger {
  readonly address: string;
  readonly since: Instant;
  /** Its place goes to another. Called once, when it does not count any more. */
  close(): void;
}

/**
 * The connections that have not shown who they are, at most so many in all and from one address. Where there is no room the one that
 * has been there for longest makes room, if it had its time: whoever is slow on purpose keeps out nobody who is quick.
 */
export class Strangers {
  readonly #limit: number;
  readonly #perAddress: number;
  /** The oldest first. */
  readonly #inside = new Set<Stranger>();
  readonly #counts = new Map<string, number>();

  constructor(limit: number = LIMITS.strangers, perAddress: number = LIMITS.strangersPerAddress) {
    this.#limit = limit;
    this.#perAddress = perAddress;
  }

  get total(): number {
    return this.#inside.size;
  }

  /** Counts one more, which may close another; false: there is no room, and it is not counted. */
  enter(stranger: Stranger): boolean {
    if (!this.mayEnter(stranger.since, stranger.address)) return false;
    const oldest = this.#inTheWay(stranger.address);
    if (oldest !== undefined) {
      this.leave(oldest);
      oldest.close();
    }
    this.#inside.add(stranger);
    this.#counts.set(stranger.address, (this.#counts.get(stranger.address) ?? 0) + 1);
    return true;
  }

  mayEnter(now: Instant, address: string): boolean {
    const oldest = this.#inTheWay(address);
    return oldest === undefined || now - oldest.since >= GRACE;
  }

  /** One that entered is known now, or gone. */
  leave(stranger: Stranger): void {
    if (!this.#inside.delete(stranger)) return;
    const count = this.#counts.get(stranger.address) ?? 1;
    if (count === 1) this.#counts.delete(stranger.address);
    else this.#counts.set(stranger.address, count - 1);
  }

  /** Who would have to go for one from `address`. */
  #inTheWay(address: string): Stranger | undefined {
    const crowded = (this.#counts.get(address) ?? 0) >= this.#perAddress;
    if (!crowded && this.#inside.size < this.#limit) return undefined;
    for (const stranger of this.#inside) if (!crowded || stranger.address === address) return stranger;
    return undefined;
  }
}
