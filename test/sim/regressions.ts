import type { Mode } from "./run.ts";

/** Runs that once broke a promise, and what that was. */
export const REGRESSIONS: readonly { readonly seed: number; readonly nodes: number; readonly mode: Mode; readonly what: string }[] = [
  { seed: 2, nodes: 7, mode: "safety", what: "a durable message had more time to live after a restart with the wall clock set back" },
  { seed: 39, nodes: 12, mode: "liveness", what: "a message that ended at the hop limit of a transient loop was given up" },
  { seed: 36, nodes: 9, mode: "safety", what: "a durable message whose sender had been told that it failed was sent again after a crash" },
  { seed: 96, nodes: 5, mode: "safety", what: "a durable message ran after its sender had been told STORE_FULL" },
  { seed: 230, nodes: 11, mode: "safety", what: "a restart of the worker turned a success that had been read whole into WORK_INTERRUPTED" },
  { seed: 1130, nodes: 15, mode: "safety", what: "a full disk kept a message that was over, and it was told again after a restart" },
  {
    seed: 1_012_131,
    nodes: 8,
    mode: "liveness",
    what: "a message that went on from where it waited, and was lost there, was not asked after",
  },
  {
    seed: 202_641,
    nodes: 6,
    mode: "liveness",
    what: "a message that was left to a node was sent again and again, and its answers ignored",
  },
  {
    seed: 210_724,
    nodes: 9,
    mode: "safety",
    what: "a copy that came by its origin on its way, after the work had ended, was bound to a new life and ran twice",
  },
  {
    seed: 4206724,
    nodes: 9,
    mode: "safety",
    what: "a message that was cancelled while it was being parked on a full disk was answered twice",
  },
];
