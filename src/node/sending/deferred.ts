/** A promise with what settles it. Made only when somebody waits, so that a failure nobody waits for is no unhandled rejection. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  #resolve: ((value: T) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  resolve(value: T): void {
    const resolve = this.#resolve;
    this.#settled();
    resolve?.(value);
  }

  reject(error: unknown): void {
    const reject = this.#reject;
    this.#settled();
    reject?.(error);
  }

  /** Node looks into each promise that is settled again, which takes ten times as long as to settle it. */
  #settled(): void {
    this.#resolve = undefined;
    this.#reject = undefined;
  }
}
