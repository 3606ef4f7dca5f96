import type { EachResponse } from "../api.ts";
import { abortable, aborted } from "../signals.ts";
import type { ResponseSource, ResponseWaiter } from "./response-iterator.ts";

/**
 * Calls `each` for every response until the last. What has come together is handed over together: a promise for each response,
 * as iterating makes, takes longer than all else that is done for a small one. Resolves when the work is over, however it was; rejects
 * with what `each` threw, or ABORTED.
 */
export async function forEachResponse(source: ResponseSource, each: EachResponse, signal: AbortSignal | undefined): Promise<void> {
  checkSignal(signal);
  source.enter();
  try {
    for (;;) {
      for (let response = source.take(); response !== undefined; response = source.take()) {
        try {
          const busy = each(response);
          if (busy !== undefined) await abortable(busy, signal);
        } finally {
          // What was not taken of it is dropped, also where this was the last to be had: it would hold up those behind it.
          response.abandon();
        }
        checkSignal(signal);
      }
      if (source.over) return;
      await abortable(more(source), signal);
    }
  } finally {
    source.leave();
  }
}

function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted(signal);
}

/** Resolves when something has come, or nothing more will. */
function more(source: ResponseSource): Promise<void> {
  return new Promise((resolve) => source.wait(new Bell(resolve)));
}

/** Rings, and takes nothing itself. */
class Bell implements ResponseWaiter {
  readonly #ring: () => void;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  give(): boolean {
    this.#ring();
    return false;
  }

  end(): void {
    this.#ring();
  }
}
