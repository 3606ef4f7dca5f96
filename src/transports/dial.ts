import type { Socket } from "node:net";
import { toMeshError } from "../core/errors.ts";
import { TIMES } from "../core/limits.ts";
import { abortedError, dialError, timeoutError } from "./errors.ts";
import type { DialOptions, Pipe } from "./transport.ts";
import type { MeshUrl } from "./url.ts";

/**
 * Runs `start` within the time and the signal of `options`, and gives what goes wrong its code. `start` must end soon
 * after its own signal, and free what it holds.
 */
export async function bounded(url: MeshUrl, options: DialOptions, start: (signal: AbortSignal) => Promise<Pipe>): Promise<Pipe> {
  const { signal, timeout = TIMES.connect } = options;
  if (signal.aborted) throw abortedError(url, signal.reason);
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(abortedError(url, signal.reason));
  const timer = setTimeout(() => stop.abort(timeoutError(url, timeout)), timeout);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const pipe = await start(stop.signal);
    if (!stop.signal.aborted) return pipe;
    pipe.close(true);
    throw toMeshError(stop.signal.reason);
  } catch (error) {
    throw stop.signal.aborted ? toMeshError(stop.signal.reason) : dialError(url, error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

/** Resolves at the socket's `event`; where it fails, closes or `signal` aborts before, destroys it and rejects. */
export function socketReady(socket: Socket, event: "connect" | "secureConnect", signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.off(event, onReady).off("error", onFailure).off("close", onClose);
      signal.removeEventListener("abort", onAbort);
    };
    const onReady = (): void => {
      settle();
      resolve();
    };
    const onFailure = (error: unknown): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onClose = (): void => onFailure(Object.assign(new Error("the connection closed"), { code: "ECONNRESET" }));
    const onAbort = (): void => onFailure(signal.reason);
    socket.on(event, onReady).on("error", onFailure).on("close", onClose);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
}
