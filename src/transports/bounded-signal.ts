import type { Millis } from "../core/instant.ts";

export interface BoundedSignal {
  readonly signal: AbortSignal;
  /** To be called when what it bounds is over. */
  release(): void;
}

/**
 * A signal that aborts as `outer` does, or with a TimeoutError after `timeout`. Not `AbortSignal.any` over `AbortSignal.timeout`: nothing but the
 * former holds the latter, and weakly (Node 20), so that a collection of garbage takes the timeout away.
 */
export function boundedSignal(outer: AbortSignal, timeout: Millis): BoundedSignal {
  const inner = new AbortController();
  const stop = (): void => inner.abort(outer.reason);
  const timer = setTimeout(() => inner.abort(new DOMException("the time is over", "TimeoutError")), timeout);
  if (outer.aborted) stop();
  else outer.addEventListener("abort", stop, { once: true });
  return {
    signal: inner.signal,
    release() {
      clearTimeout(timer);
      outer.removeEventListener("abort", stop);
    },
  };
}
