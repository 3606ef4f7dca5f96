/** Lets calls wait until something in the node's view of the mesh has changed. */
export class Changes {
  readonly #now: () => number;
  readonly #waiting = new Set<() => void>();
  #closed = false;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Something changed. */
  tell(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next change, and at `until` at the latest. */
  next(until: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(0, until - this.#now()));
      this.#waiting.add(wake);
    });
  }

  close(): void {
    this.#closed = true;
    this.tell();
  }
}
