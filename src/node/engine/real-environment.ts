import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { toMeshError } from "../../core/errors.ts";
import type { Store } from "../../storage/store.ts";
import type { Pipe } from "../../transports/transport.ts";
import type { Transports } from "../../transports/index.ts";
import type { Environment } from "./environment.ts";

/** setTimeout's own limit. */
const LONGEST = 0x7fff_ffff;

/** The engine's outside as it is: this machine's clocks, sockets and disk. */
export function realEnvironment(transports: Transports, store: Store): Environment {
  return {
    now: () => performance.now(),
    wallClock: () => Date.now(),
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
    at(time, task) {
      const timer = setTimeout(task, Math.max(0, Math.min(LONGEST, Math.ceil(time - performance.now()))));
      return () => clearTimeout(timer);
    },
    soon: (task) => {
      setImmediate(task);
    },
    dial(url, done) {
      const abort = new AbortController();
      const settle = (error: unknown, pipe: Pipe | undefined): void => {
        if (abort.signal.aborted) pipe?.close(true);
        else done(error === undefined ? undefined : toMeshError(error, "CONNECT_FAILED"), pipe);
      };
      transports.dial(url, { signal: abort.signal }).then(
        (pipe) => settle(undefined, pipe),
        (error: unknown) => settle(error, undefined),
      );
      return () => abort.abort();
    },
    store,
  };
}
