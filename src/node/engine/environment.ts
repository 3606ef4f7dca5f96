import type { MeshError } from "../../core/errors.ts";
import type { Instant, Random } from "../../core/instant.ts";
import type { SlabPool } from "../../link/slab.ts";
import type { Store } from "../../storage/store.ts";
import type { Pipe } from "../../transports/transport.ts";

/**
 * Everything that the engine takes from outside: time, chance, pipes, a disk. The real one has sockets and clocks; the simulator's has
 * virtual time and a seed.
 */
export interface Environment {
  /** Monotonic. */
  now(): Instant;
  /** Milliseconds since 1970. */
  wallClock(): number;
  readonly random: Random;
  randomBytes(count: number): Uint8Array;
  /** Runs `task` at `time`, or soon after; returns what cancels it. */
  at(time: Instant, task: () => void): () => void;
  /** Runs `task` after what is being handled now. */
  soon(task: () => void): void;
  /** Opens a pipe; `done` runs once, unless cancelled by what is returned. */
  dial(url: string, done: (error: MeshError | undefined, pipe: Pipe | undefined) => void): () => void;
  readonly store: Store;
  /** Output buffers that several engines of one process may share; default: the engine's own. */
  readonly slabs?: SlabPool;
}
