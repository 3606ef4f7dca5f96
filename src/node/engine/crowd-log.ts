import type { Millis } from "../../core/instant.ts";
import type { Logger } from "../../core/log.ts";

/** How soon a crowd is summed up, and how seldom at last while it stays: each span is twice the one before. Milliseconds. */
const SPAN = { first: 10_000, longest: 600_000 } as const;

/** What is said of the first, and of all that follow. */
export interface CrowdWords {
  readonly level: "info" | "warn";
  readonly event: string;
  readonly one: string;
  readonly events: string;
  readonly many: string;
}

/** Those that dial in and never become a peer. */
export const STRANGERS: CrowdWords = {
  level: "info",
  event: "cut-off",
  one: "session ended",
  events: "strangers",
  many: "connections that were no peers were closed",
};

/** Frames for this node that are not sealed as they must be. */
export const UNOPENED: CrowdWords = {
  level: "warn",
  event: "unopened",
  one: "a frame was not taken, as it could not be opened",
  events: "unopened",
  many: "frames were not taken, as they could not be opened",
};

/**
 * What is said of what comes in crowds: the first for each reason as it comes, so that an honest one in trouble is found, and all that follow
 * in one line a span, so that a crowd does not fill the disk.
 */
export class CrowdLog {
  readonly #words: CrowdWords;
  readonly #log: Logger;
  readonly #said = new Set<string>();
  /** Those that came after. */
  readonly #counts = new Map<string, number>();
  #span: Millis = SPAN.first;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger, words: CrowdWords) {
    this.#words = words;
    this.#log = log;
  }

  /** `facts`: what is known of it, for the log. */
  add(reason: string, facts: object): void {
    if (this.#said.has(reason)) {
      this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    } else {
      this.#said.add(reason);
      this.#log[this.#words.level]({ event: this.#words.event, ...facts, code: reason }, this.#words.one);
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
    this.#log.warn({ event: this.#words.events, count, reasons, seconds: this.#span / 1_000 }, this.#words.many);
    return true;
  }
}
