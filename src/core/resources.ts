import { toMeshError } from "./errors.ts";

type Closer = () => void | Promise<void>;

/** What was opened, closed in the reverse order. Closing twice is harmless; one failure does not keep the rest open. */
export class ResourceStack {
  readonly #closers: Closer[] = [];
  #closing: Promise<void> | undefined;

  defer(closer: Closer): void {
    this.#closers.push(closer);
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    let first: unknown;
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer();
      } catch (error) {
        first ??= error;
      }
    }
    if (first !== undefined) throw toMeshError(first);
  }
}
