import type { MeshError } from "../core/errors.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";

/** What the machine needs to know of an action. */
export interface ActionFacts {
  readonly idempotent: boolean;
  /** How many at once; default: as many as the plugin's. */
  readonly concurrency?: number;
  /** Milliseconds from the start; default: no limit. */
  readonly deadline?: Millis;
}

/** What the machine needs to know of a plugin. */
export interface PluginFacts {
  readonly name: string;
  readonly version: string;
  /** How many works of the plugin at once; default: as many as the node's. */
  readonly concurrency?: number;
  /** The care of the node itself: its works take none of the node's slots, are no load, and are taken while the node drains. */
  readonly apart?: boolean;
  readonly actions: ReadonlyMap<string, ActionFacts>;
}

/** `handle`: what the owner of the machine holds of the work; the effects that are of it give it back. */
export type WorkInput<H = unknown> =
  /** What can be run from now on. Queued work of what is gone fails; running work goes on. */
  | { readonly type: "plugins"; readonly plugins: readonly PluginFacts[] }
  | {
      readonly type: "request";
      readonly id: MessageId;
      readonly sender: NodeId;
      readonly directive: string;
      /** Milliseconds from acceptance. */
      readonly deadline?: Millis | undefined;
      /** Take it, but begin only at `confirm`. */
      readonly hold?: boolean;
      readonly handle: H;
    }
  | { readonly type: "confirm"; readonly id: MessageId }
  /** `error` is what the plugin and the sender are told; default CANCELLED. */
  | { readonly type: "cancel"; readonly id: MessageId; readonly error?: MeshError }
  /** The plugin's code has ended. */
  | { readonly type: "ended"; readonly id: MessageId; readonly error?: MeshError | undefined; readonly exitCode?: number | undefined }
  /** No new work from now on. Queued work ends as cancelled with CLOSED, running work goes on. */
  | { readonly type: "drain" }
  | { readonly type: "wake" };

export type WorkEffect<H = unknown> =
  | { readonly type: "accepted"; readonly id: MessageId; readonly handle: H; readonly state: "queued" | "running" }
  | { readonly type: "refused"; readonly id: MessageId; readonly error: MeshError }
  | {
      readonly type: "start";
      readonly id: MessageId;
      readonly handle: H;
      readonly plugin: string;
      readonly action: string;
      readonly deadline: Instant | undefined;
    }
  /** The reason for the plugin's AbortSignal; once a work. */
  | { readonly type: "abort"; readonly id: MessageId; readonly handle: H; readonly error: MeshError }
  /** Exactly once for each accepted work. */
  | {
      readonly type: "ended";
      readonly id: MessageId;
      readonly handle: H;
      readonly state: EndState;
      readonly error?: MeshError | undefined;
      readonly exitCode?: number | undefined;
    }
  /** The plugin did not stop within `after` of its abort. Its work is ended for the sender; its place stays taken until it stops. */
  | { readonly type: "ignores-abort"; readonly id: MessageId; readonly after: Millis }
  /** Once a step in which one of the two changed. */
  | { readonly type: "load"; readonly running: number; readonly queued: number };

/** The states of an accepted work. */
export type WorkState = "queued" | "running" | EndState;
export type EndState = "succeeded" | "failed" | "cancelled";

/** One work as the machine holds it. */
export interface WorkView<H = unknown> {
  readonly id: MessageId;
  readonly handle: H;
  readonly sender: NodeId;
  readonly plugin: string;
  readonly action: string;
  readonly state: WorkState;
  /** Whether it waits for `confirm`. */
  readonly held: boolean;
  readonly acceptedAt: Instant;
  readonly startedAt: Instant | undefined;
  /** When it ends with DEADLINE_EXCEEDED, if ever. */
  readonly deadline: Instant | undefined;
  /** Whether the plugin was told to stop. */
  readonly aborting: boolean;
}

export interface WorkOptions {
  /** The node's id, for messages. */
  readonly node: string;
  /** How many works run at once. At least 1. */
  readonly maxConcurrent: number;
  /** How many works wait at most; default 1000. */
  readonly queue?: number;
}

/** Milliseconds. */
export const WORK_TIMES = {
  /** A held work that is not confirmed for this long is dropped as cancelled. */
  hold: 30_000,
  /** How long a plugin has to stop after its abort. */
  abort: 5_000,
} as const;

export const DEFAULT_QUEUE = 1_000;
