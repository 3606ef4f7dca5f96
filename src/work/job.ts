import type { MeshError } from "../core/errors.ts";
import type { Instant } from "../core/instant.ts";
import type { Timed } from "../core/timers.ts";
import type { Lane } from "./lanes.ts";
import { WORK_TIMES, type WorkInput, type WorkState, type WorkView } from "./types.ts";

/** An accepted work, from acceptance until its plugin has ended. */
export interface Job<H> extends WorkView<H>, Timed {
  /** The order of acceptance. */
  readonly order: number;
  readonly lane: Lane<Job<H>>;
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

export function newJob<H>(lane: Lane<Job<H>>, request: Extract<WorkInput<H>, { type: "request" }>, order: number, now: Instant): Job<H> {
  const held = request.hold === true;
  return {
    id: request.id,
    handle: request.handle,
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
