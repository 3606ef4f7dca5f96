import { setMaxListeners } from "node:events";
import { MeshError } from "../core/errors.ts";

/** Calls `listener` when the signal says so; returns what takes that back. One signal may stand behind any number of calls. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  // Node would warn of a leak at the eleventh.
  setMaxListeners(0, signal);
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/** Rejects with ABORTED as soon as the signal says so, also where `promise` fails of it. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    // Nobody waits for it any more.
    promise.catch(() => undefined);
    throw aborted(signal);
  }
  let release: (() => void) | undefined;
  const abort = new Promise<never>((_, reject) => {
    release = onAbort(signal, () => reject(aborted(signal)));
  });
  try {
    return await Promise.race([promise, abort]);
  } catch (error) {
    throw signal.aborted ? aborted(signal) : error;
  } finally {
    release?.();
  }
}

export function aborted(signal: AbortSignal): MeshError {
  return new MeshError("ABORTED", "the caller's signal ended the call", { cause: signal.reason });
}
