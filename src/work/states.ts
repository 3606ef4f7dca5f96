import type { MeshError } from "../core/errors.ts";
import type { EndState, WorkState } from "./types.ts";

/** What can happen to a work. */
export type WorkEvent = "start" | "succeed" | "fail" | "cancel";

/** Where each event leads; undefined: the event cannot be for that state, and nothing happens. */
export const WORK_TRANSITIONS: Readonly<Record<WorkState, Readonly<Record<WorkEvent, WorkState | undefined>>>> = {
  queued: { start: "running", succeed: undefined, fail: "failed", cancel: "cancelled" },
  running: { start: undefined, succeed: "succeeded", fail: "failed", cancel: "cancelled" },
  succeeded: { start: undefined, succeed: undefined, fail: undefined, cancel: undefined },
  failed: { start: undefined, succeed: undefined, fail: undefined, cancel: undefined },
  cancelled: { start: undefined, succeed: undefined, fail: undefined, cancel: undefined },
};

const FAILED: ReadonlySet<string> = new Set(["DEADLINE_EXCEEDED", "WORK_FAILED", "WORK_INTERRUPTED", "UNKNOWN_PLUGIN", "UNKNOWN_ACTION"]);

/** The event that an error from outside the plugin stands for: a passed deadline is a failure, a request to stop is not. */
export function eventOfAbort(error: MeshError): "fail" | "cancel" {
  return FAILED.has(error.code) ? "fail" : "cancel";
}

export function isEnd(state: WorkState): state is EndState {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}
