import type { MeshError } from "../core/errors.ts";
import type { Instant, Millis, Random } from "../core/instant.ts";
import type { Greeting } from "../wire/greeting.ts";
import type { SlabPool } from "./slab.ts";

/**
 * The byte pipe below a session, with the meaning of `Pipe` in src/transports/transport.ts. What it reports comes back as `receive`,
 * `drained` and `pipeClosed`.
 */
export interface LinkPort {
  /**
   * `bytes` do not change until `done` runs. `spent`: nobody needs them afterwards, nor the WRITE_ROOM bytes before them in their buffer,
   * so the pipe may write there.
   * False: full, so what waits is held back until `drained`.
   */
  write(bytes: Uint8Array, done: () => void, spent: boolean): boolean;
  pause(): void;
  resume(): void;
  /** Ends after what was written has left; `abort` at once. */
  close(abort: boolean): void;
}

/** What the output of a link tells. */
export interface OutputHooks {
  /** The queue fell below half of LIMITS.linkQueueHigh after it had been over it. */
  onWritable(): void;
  /** A frame found the queue full; its sender sends it again. */
  onDropped(kind: number, bytes: number): void;
  /** Asks for `flush` at the end of this tick. */
  markDirty(): void;
}

/** What a session tells its engine. A MeshError thrown by `onLinkFrame` or `onRouted` closes the link with it. */
export interface LinkHooks extends OutputHooks {
  /**
   * The peer has said who it is. undefined: admitted. An error: goodbye with it. "later": `settle` says so, within the greeting time.
   * Neither end is up before both have admitted the other.
   */
  onGreeting(greeting: Greeting): MeshError | undefined | "later";
  onUp(now: Instant): void;
  /** A frame between the two ends of the link; skip kinds that you do not know. `body` is valid only during the call. */
  onLinkFrame(now: Instant, kind: number, body: Uint8Array): void;
  /** A whole routed frame in place, at least ROUTED_HEADER long; valid only during the call, and may be written to. */
  onRouted(now: Instant, bytes: Uint8Array, view: DataView, start: number, end: number): void;
  /** Exactly once, and the last call, as soon as the link carries nothing more; the port may still be sending a goodbye. */
  onClosed(reason: MeshError | undefined, byPeer: boolean): void;
}

export interface LinkTimes {
  readonly greeting: Millis;
  readonly keepalive: Millis;
  readonly stale: Millis;
  readonly stall: Millis;
}

export interface LinkOptions {
  readonly local: Greeting;
  readonly role: "dialer" | "listener";
  readonly random: Random;
  /** Shared by the links of a node; default: one for this link. */
  readonly slabs?: SlabPool;
  /** Default: TIMES. */
  readonly times?: Partial<LinkTimes>;
}
