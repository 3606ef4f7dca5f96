import type { MeshError } from "../core/errors.ts";
import type { Instant } from "../core/instant.ts";
import type { Timed } from "../core/timers.ts";
import type { Lane } from "./lanes.ts";
import { WORK_TIMES, type WorkInput, type WorkState, type WorkView } from "./types.ts";

/** An accepted work, from acceptance until its plugin has ended. */
export interface Job extends WorkView, Timed {
  /** The order of acceptance. */
  readonly order: number;
  readonly lane: Lane<Job>;
  state: WorkState;
  held: boolean;
  holdUntil: Instant | undefined;
  startedAt: Instant | undefined;
  deadline: Instant | undefined;
  aborting: boolean;
  abortError: MeshError | undefined;
  /** When its sender is told that it ended, though the plugin has not. */
  abortUntil: Instant | undefined;
}

export function newJob(lane: Lane<Job>, request: Extract<WorkInput, { type: "request" }>, order: number, now: Instant): Job {
  const held = request.hold === true;
  return {
    id: request.id,
    sender: request.sender,
    plugin: lane.plugin,
    action: lane.action,
    order,
    lane,
    state: "queued",
    held,
    holdUntil: held ? now + WORK_TIMES.hold : undefined,
    acceptedAt: now,
    startedAt: undefined,
    deadline: request.deadline === undefined ? undefined : now + request.deadline,
    aborting: false,
    abortError: undefined,
    abortUntil: undefined,
    due: undefined,
    place: 0,
  };
}
