import type { Mode } from "./run.ts";

/** Runs that once broke a promise, and what that was. */
export const REGRESSIONS: readonly { readonly seed: number; readonly nodes: number; readonly mode: Mode; readonly what: string }[] = [
  { seed: 2, nodes: 7, mode: "safety", what: "a durable message had more time to live after a restart with the wall clock set back" },
  { seed: 39, nodes: 12, mode: "liveness", what: "a message that ended at the hop limit of a transient loop was given up" },
  { seed: 36, nodes: 9, mode: "safety", what: "a durable message whose sender had been told that it failed was sent again after a crash" },
  { seed: 96, nodes: 5, mode: "safety", what: "a durable message ran after its sender had been told STORE_FULL" },
  { seed: 230, nodes: 11, mode: "safety", what: "a restart of the worker turned a success that had been read whole into WORK_INTERRUPTED" },
  { seed: 1130, nodes: 15, mode: "safety", what: "a full disk kept a message that was over, and it was told again after a restart" },
];
