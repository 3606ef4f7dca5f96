import type { ErrorCode } from "../core/errors.ts";
import type { Millis } from "../core/instant.ts";
import type { Logger } from "../core/log.ts";

/** How soon a crowd is summed up, and how seldom at last while it stays: each span is twice the one before. Milliseconds. */
const SPAN = { first: 10_000, longest: 600_000 } as const;

/** Why one was sent away: the code, or that there was no room for it. */
export type Reason = ErrorCode | "NO_ROOM";

/**
 * What is said of those that dial in and never become a peer: the first for each reason as it comes, so that an honest one in trouble is
 * found, and all that follow in one line a span, so that a crowd does not fill the disk.
 */
export class StrangerLog {
  readonly #log: Logger;
  readonly #said = new Set<Reason>();
  /** Those that came after. */
  readonly #counts = new Map<Reason, number>();
  #span: Millis = SPAN.first;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** `facts`: what is known of it, for the log. */
  add(reason: Reason, facts: object): void {
    if (this.#said.has(reason)) {
      this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    } else {
      this.#said.add(reason);
      this.#log.info({ event: "cut-off", ...facts, code: reason }, "session ended");
    }
    if (this.#timer === undefined) this.#wait();
  }

  /** Says what has not been said yet. */
  close(): void {
    clearTimeout(this.#timer);
    this.#sumUp();
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#sumUp()) {
        this.#span = Math.min(SPAN.longest, 2 * this.#span);
        this.#wait();
      } else {
        this.#span = SPAN.first;
        this.#said.clear();
      }
    }, this.#span).unref();
  }

  /** False: nobody came. */
  #sumUp(): boolean {
    if (this.#counts.size === 0) return false;
    const reasons = Object.fromEntries(this.#counts);
    const count = [...this.#counts.values()].reduce((sum, each) => sum + each, 0);
    this.#counts.clear();
    this.#log.warn({ event: "strangers", count, reasons, seconds: this.#span / 1_000 }, "connections that were no peers were closed");
    return true;
  }
}
