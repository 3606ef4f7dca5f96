import { Deadlines } from "../../core/deadlines.ts";
import type { Instant } from "../../core/instant.ts";
import type { Environment } from "./environment.ts";

/** A part of the engine that has something to do at a time of its own. */
export interface Wakeable {
  nextWake(): Instant | undefined;
  wake(now: Instant): void;
}

/** Wakes each part when it is due, with one timer for all. */
export class Agenda {
  readonly #env: Pick<Environment, "now" | "at">;
  readonly #due = new Deadlines<Wakeable>();
  readonly #afterWake: () => void;
  #armedAt: Instant | undefined;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(env: Pick<Environment, "now" | "at">, afterWake: () => void) {
    this.#env = env;
    this.#afterWake = afterWake;
  }

  /** The part may have to be woken earlier than it said before. */
  touch(part: Wakeable): void {
    const at = part.nextWake();
    if (at === undefined) return;
    const known = this.#due.get(part);
    if (known !== undefined && known <= at) return;
    this.#due.set(part, at);
    this.#arm();
  }

  remove(part: Wakeable): void {
    this.#due.delete(part);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #arm(): void {
    const next = this.#due.next();
    if (this.#stopped || next === undefined || (this.#armedAt !== undefined && this.#armedAt <= next)) return;
    this.#cancel?.();
    this.#armedAt = next;
    this.#cancel = this.#env.at(next, () => this.#wake());
  }

  #wake(): void {
    this.#armedAt = undefined;
    this.#cancel = undefined;
    const now = this.#env.now();
    const woken: Wakeable[] = [];
    for (let part = this.#due.take(now); part !== undefined; part = this.#due.take(now)) woken.push(part);
    for (const part of woken) {
      part.wake(now);
      const next = part.nextWake();
      const known = this.#due.get(part);
      if (next !== undefined && (known === undefined || known > next)) this.#due.set(part, next);
    }
    this.#afterWake();
    this.#arm();
  }
}
