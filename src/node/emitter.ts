import { MeshError } from "../core/errors.ts";
import { onAbort } from "./signals.ts";

const MOST = 10_000;

interface Listener<T> {
  readonly queue: T[];
  dropped: boolean;
  wake: (() => void) | undefined;
}

/** Hands events to any number of readers, each at its own pace; one that falls 10,000 behind is ended with TOO_LARGE. */
export class Emitter<T> {
  readonly #listeners = new Set<Listener<T>>();
  #closed = false;

  /** Whether anybody would see an event. */
  get isRead(): boolean {
    return this.#listeners.size > 0;
  }

  emit(event: T): void {
    for (const listener of this.#listeners) {
      if (listener.queue.length >= MOST) listener.dropped = true;
      else listener.queue.push(event);
      listener.wake?.();
    }
  }

  /** Every reader sees what came before, then ends. */
  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners) listener.wake?.();
  }

  /** Events from this call on. */
  read(signal?: AbortSignal): AsyncIterable<T> {
    const listener: Listener<T> = { queue: [], dropped: false, wake: undefined };
    this.#listeners.add(listener);
    return this.#iterate(listener, signal);
  }

  async *#iterate(listener: Listener<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
    const release = signal === undefined ? undefined : onAbort(signal, () => listener.wake?.());
    try {
      for (;;) {
        const event = listener.queue.shift();
        if (event !== undefined) {
          yield event;
          continue;
        }
        if (listener.dropped) throw new MeshError("TOO_LARGE", `the reader of events fell more than ${MOST} behind`);
        if (this.#closed || signal?.aborted === true) return;
        await new Promise<void>((resolve) => {
          listener.wake = resolve;
        });
        listener.wake = undefined;
      }
    } finally {
      this.#listeners.delete(listener);
      release?.();
    }
  }
}
