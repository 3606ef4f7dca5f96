import type { MeshError } from "../core/errors.ts";

/** Writes that become true together, and who waits for them. */
export interface PendingWrite<Operation> {
  readonly operations: readonly Operation[];
  /** Bytes of keys and values. */
  readonly bytes: number;
  readonly done: (error: MeshError | undefined) => void;
}

export interface GroupLimits {
  /** Operations after which a group takes no further write; default 1,000. */
  readonly operations?: number;
  /** Bytes after which a group takes no further write; default 1 MiB. */
  readonly bytes?: number;
}

/** Puts one group on the disk; the answer is why it is not there, if it is not. Must not reject. */
export type Commit<Operation> = (group: readonly PendingWrite<Operation>[]) => Promise<MeshError | undefined>;

/**
 * Group commit: the writes that wait while a group is on its way to the disk make up the next group, in order and
 * never split. One write alone is a group of its own, however large.
 */
export class GroupCommit<Operation> {
  readonly #commit: Commit<Operation>;
  readonly #limits: Required<GroupLimits>;
  #waiting: PendingWrite<Operation>[] = [];
  #running: Promise<void> | undefined;
  #bytes = 0;

  constructor(commit: Commit<Operation>, limits: GroupLimits = {}) {
    this.#commit = commit;
    this.#limits = { operations: limits.operations ?? 1000, bytes: limits.bytes ?? 1024 * 1024 };
  }

  /** Bytes that wait or are on their way. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  add(write: PendingWrite<Operation>): void {
    this.#waiting.push(write);
    this.#bytes += write.bytes;
    this.#running ??= this.#run();
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // One turn of the microtask queue, so that the writes of one event make one group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#take();
      const error = await this.#commit(group);
      for (const write of group) {
        this.#bytes -= write.bytes;
        callBack(() => write.done(error));
      }
    }
    this.#running = undefined;
  }

  #take(): PendingWrite<Operation>[] {
    let count = 0;
    let operations = 0;
    let bytes = 0;
    for (const write of this.#waiting) {
      operations += write.operations.length;
      bytes += write.bytes;
      if (count > 0 && (operations > this.#limits.operations || bytes > this.#limits.bytes)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}

/** Runs a caller's callback; what it throws surfaces as an uncaught exception and does not stop the store. */
export function callBack(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
