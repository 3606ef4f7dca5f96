import type { Readable, Writable } from "node:stream";
import type { ErrorData, MeshError } from "../core/errors.ts";

/** What a work is at: accepted works are queued, running, or one of the three ends. */
export type WorkState = "sent" | "parked" | "queued" | "running" | "succeeded" | "failed" | "cancelled";

export type SendPayload =
  | string
  | Uint8Array
  | Readable
  | AsyncIterable<Uint8Array>
  | IterableIterator<Uint8Array>
  | { readonly [key: string]: unknown }
  | readonly unknown[]
  | number
  | boolean
  | null;

export interface SendOptions {
  /** Milliseconds that the message may take to be accepted; default 5 min; 0: now or not at all. Given, it also lets a message wait for a node nobody has heard of yet. */
  readonly ttl?: number;
  /** Milliseconds that the work may take once accepted. */
  readonly deadline?: number;
  /** Keep the message on this node's disk until it is accepted, and on the destination's until it ended. Default false. */
  readonly durable?: boolean;
  readonly signal?: AbortSignal;
  /** At most 32, 4 KiB in all. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * What `send` waits for; default accepted. `parked` also resolves when it waits on a disk somewhere, `sent` at once: a durable message may
   * not be on the disk yet then.
   */
  readonly waitFor?: "accepted" | "parked" | "sent";
  /** "open" keeps `work.input` writable. */
  readonly input?: "open";
  /** The first peer becomes the message's keeper: it sends on, and holds the outcome for `attach`. */
  readonly detach?: boolean;
}

export interface Response {
  /** From 1. */
  readonly serial: number;
  /** Which output of the action, e.g. "stderr"; undefined for the only or main one. */
  readonly channel: string | undefined;
  /** Text, bytes or a JSON value as the plugin yielded it; undefined where it comes as a stream. */
  readonly payload: unknown;
  bytes(): Uint8Array;
  text(): string;
  json(): unknown;
  /** For a response that the plugin streamed; for others, their bytes. */
  stream(): Readable;
}

/** What a program does with each response; the next one waits for the promise, where it returns one. */
export type EachResponse = (response: Response) => void | Promise<void>;

export interface WorkResult {
  readonly state: "succeeded";
  /** How many responses there were. */
  readonly responses: number;
  readonly exitCode: number | undefined;
}

export type WorkEvent =
  | { readonly type: "sent"; readonly id: string; readonly node: string }
  | { readonly type: "parked"; readonly id: string; readonly node: string; readonly ttl: number }
  | { readonly type: "accepted"; readonly id: string; readonly node: string }
  | { readonly type: "running"; readonly id: string; readonly node: string }
  | {
      readonly type: "end";
      readonly id: string;
      readonly node: string;
      readonly state: "succeeded" | "failed" | "cancelled";
      readonly error?: MeshError;
    };

export interface Work extends AsyncIterable<Response> {
  readonly id: string;
  /** Who runs it; the target until it is accepted. */
  readonly node: string;
  readonly state: WorkState;
  /** For `all:GROUP`, one work for each member; otherwise empty. */
  readonly members: readonly Work[];
  readonly input: Writable | undefined;
  /**
   * Calls `each` for every response; the next waits for the promise where it returns one. Faster than iterating where responses are many and
   * small: those that came together are handed over together. Rejects with what `each` threw, ABORTED, and as `result` does.
   */
  forEach(each: EachResponse, options?: { readonly signal?: AbortSignal }): Promise<WorkResult>;
  events(): AsyncIterable<WorkEvent>;
  /** Asks the worker to stop; resolves when it ended. */
  cancel(): Promise<void>;
  /** Rejects with a MeshError where the work failed, expired, was refused or cancelled. Responses that nobody reads are dropped. */
  result(options?: { readonly signal?: AbortSignal }): Promise<WorkResult>;
}

export interface Ping {
  /** Milliseconds. */
  readonly rtt: number;
  readonly hops: number;
  readonly version: string;
  readonly work: { readonly running: number; readonly queued: number };
}

export interface TraceHop {
  readonly node: string;
  /** Milliseconds. */
  readonly rtt: number;
}

export interface PluginStatus {
  readonly name: string;
  readonly version: string;
  readonly actions: readonly string[];
}

/** A plugin of the node itself. */
export interface OwnPluginStatus extends PluginStatus {
  /** Whether it runs in a process of its own. */
  readonly isolated: boolean;
  /** Whether the node's data folder, with its keys and its store, is out of that process's reach. Absent where it runs in the node's. */
  readonly hidden?: boolean;
  /** That process; null while there is none. Absent where it runs in the node's. */
  readonly pid?: number | null;
  /** How often that process was started again. */
  readonly restarts?: number;
}

export interface NodeStatus {
  readonly id: string;
  readonly reachable: boolean;
  readonly via: string | null;
  readonly cost: number | null;
  readonly hops: number | null;
  readonly groups: readonly string[];
  readonly ephemeral: boolean;
  readonly plugins: readonly PluginStatus[];
  readonly work: { readonly running: number; readonly queued: number };
}

export interface LinkStatus {
  readonly peer: string;
  readonly url: string;
  readonly direction: "in" | "out";
  readonly cost: number;
  /** Milliseconds; null before the first measure. */
  readonly rtt: number | null;
  /** Seconds. */
  readonly since: number;
  readonly secure: boolean;
}

export interface ParkedStatus {
  readonly messages: number;
  readonly bytes: number;
  readonly destinations: readonly { readonly node: string; readonly messages: number; readonly bytes: number }[];
}

export interface WorkStatus {
  readonly id: string;
  readonly directive: string;
  readonly role: "sender" | "worker";
  /** The other end. */
  readonly peer: string;
  readonly state: WorkState;
  readonly responses: number;
  /** Seconds. */
  readonly since: number;
}

/** The same shape as `receptor status --json`. */
export interface Status {
  readonly node: string;
  readonly version: string;
  /** Seconds. */
  readonly uptime: number;
  readonly listening: readonly string[];
  /** What this node itself runs. */
  readonly plugins: readonly OwnPluginStatus[];
  readonly nodes: readonly NodeStatus[];
  readonly links: readonly LinkStatus[];
  readonly edges: readonly { readonly between: readonly [string, string]; readonly cost: number }[];
  readonly parked: ParkedStatus;
  readonly work: readonly WorkStatus[];
  readonly warnings: readonly string[];
}

export type MeshEvent =
  | { readonly type: "node-up" | "node-down"; readonly node: string }
  | { readonly type: "link-up" | "link-down"; readonly peer: string; readonly url: string; readonly reason?: string }
  | { readonly type: "routes-changed" }
  | { readonly type: "parked" | "expired"; readonly id: string; readonly node: string; readonly destination: string }
  | {
      readonly type: "work-accepted" | "work-ended";
      readonly id: string;
      readonly directive: string;
      readonly peer: string;
      readonly state: WorkState;
    }
  | { readonly type: "warning"; readonly message: string; readonly data?: ErrorData };

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds; default 10 s. */
  readonly timeout?: number;
}

/** One message that waits, as `receptor queue list` prints it. */
export interface QueueEntry {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
  /** Milliseconds left. */
  readonly ttl: number;
  readonly why: string;
}

/** A node of the mesh, as programs use it. */
export interface MeshNode extends AsyncDisposable {
  readonly id: string;
  /** URLs as bound. */
  readonly listening: readonly string[];
  /** Opens one more listener; resolves to its URL as bound. */
  listen(url: string): Promise<string>;
  /** Keeps a link to a peer from now on. */
  peer(url: string): void;
  unpeer(url: string): void;
  /** Resolves when there is a route; rejects with TIMEOUT. */
  reachable(id: string, options?: CallOptions): Promise<void>;
  ping(id: string, options?: CallOptions): Promise<Ping>;
  trace(id: string, options?: CallOptions): AsyncIterable<TraceHop>;
  send(target: string, directive: string, payload?: SendPayload, options?: SendOptions): Promise<Work>;
  /**
   * Follows a work again, from response `from` on (default 1). `node`: who runs or keeps it. A durable message that an earlier life of this
   * node sent, and that is not accepted yet, is given as it is; `status().work` lists those.
   */
  attach(workId: string, options: { readonly node: string; readonly from?: number; readonly signal?: AbortSignal }): Promise<Work>;
  status(): Status;
  events(options?: { readonly signal?: AbortSignal }): AsyncIterable<MeshEvent>;
  queue(): readonly QueueEntry[];
  /** Reads configuration, certificates and plugins again, as SIGHUP does. */
  reload(): Promise<void>;
  /** `drain`: milliseconds to let running work end; default 0. */
  close(options?: { readonly drain?: number }): Promise<void>;
}
