import type { MeshError } from "../core/errors.ts";

/** The abort of one work. Its AbortSignal is made when somebody first asks for it: most works never look at theirs. */
export class WorkAbort {
  #reason: MeshError | undefined;
  #controller: AbortController | undefined;
  #listeners: (() => void)[] | undefined;
  #over = false;

  /** Why the work was told to stop; undefined: it was not. */
  get reason(): MeshError | undefined {
    return this.#reason;
  }

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  /** For a plugin's own use. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The first call counts; none does once the work is over. */
  abort(reason: MeshError): void {
    if (this.#reason !== undefined || this.#over) return;
    this.#reason = reason;
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    for (const listener of listeners) listener();
    this.#controller?.abort(reason);
  }

  /** The work is over: nobody is told of an abort any more. */
  close(): void {
    this.#over = true;
  }

  /** Throws the reason where the work was told to stop. */
  throwIfAborted(): void {
    if (this.#reason !== undefined) throw this.#reason;
  }

  /** `listener` runs once, at the abort, before the signal's own; never, where that has been. */
  onAbort(listener: () => void): void {
    if (this.#listeners === undefined) this.#listeners = [listener];
    else this.#listeners.push(listener);
  }

  offAbort(listener: () => void): void {
    const listeners = this.#listeners;
    if (listeners === undefined) return;
    if (listeners.length === 1 && listeners[0] === listener) this.#listeners = undefined;
    else this.#listeners = listeners.filter((one) => one !== listener);
  }
}
