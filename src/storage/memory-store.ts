import type { MeshError } from "../core/errors.ts";
import type { Random } from "../core/instant.ts";
import { callBack } from "./group-commit.ts";
import { storeClosed, storeFailed, storeFull } from "./level-errors.ts";
import { SortedMap } from "./sorted-map.ts";
import type { Entry, ScanRange, Store, StoreStats, WriteOperation } from "./store.ts";

export interface MemoryStoreOptions {
  /** Runs `task` later, never at once, and in the order of the calls; default `queueMicrotask`. The delay is what a write takes. */
  readonly schedule?: (task: () => void) => void;
}

interface Pending {
  readonly operations: readonly WriteOperation[];
  readonly done: (error: MeshError | undefined) => void;
}

/** The store without a disk, for tests and the simulation: it can lose its process, and run out of room, on demand. */
export class MemoryStore implements Store {
  readonly #schedule: (task: () => void) => void;
  readonly #synced: SortedMap<Uint8Array>;
  #pending: Pending[] = [];
  #failure: "STORE_FULL" | "STORE_CORRUPT" | undefined;
  #closed = false;
  #crashed = false;
  #idle: (() => void)[] = [];

  constructor(options: MemoryStoreOptions = {}, synced: SortedMap<Uint8Array> = new SortedMap()) {
    this.#schedule = options.schedule ?? queueMicrotask;
    this.#synced = synced;
  }

  get stats(): StoreStats {
    const failed = this.#failure === undefined ? "ok" : this.#failure === "STORE_FULL" ? "full" : "failed";
    return { state: this.#closed ? "closed" : failed, corruptRecords: 0, setAside: undefined };
  }

  /** How many records are on the imagined disk. */
  get size(): number {
    return this.#synced.size;
  }

  /** How many records on the imagined disk have a key that begins so. */
  count(prefix: string): number {
    return this.#synced.range(prefix, `${prefix}\uffff`).length;
  }

  /** From now on writes that are not on the disk yet fail with `code`; undefined: they succeed again. */
  fail(code: "STORE_FULL" | "STORE_CORRUPT" | undefined): void {
    this.#failure = code;
  }

  /**
   * Ends this store as `kill -9` would: no callback runs any more. The returned one holds what was acknowledged, and of what was
   * not the first few writes, as many as `random` says.
   */
  crash(random: Random): MemoryStore {
    this.#crashed = true;
    this.#closed = true;
    const survivors = Math.floor(random() * (this.#pending.length + 1));
    const disk = this.#synced.clone();
    for (const { operations } of this.#pending.slice(0, survivors)) apply(disk, operations);
    this.#pending = [];
    for (const resolve of this.#idle.splice(0)) resolve();
    return new MemoryStore({ schedule: this.#schedule }, disk);
  }

  write(operations: readonly WriteOperation[], done: (error: MeshError | undefined) => void): void {
    if (this.#closed) {
      this.#later(() => done(storeClosed()));
      return;
    }
    this.#pending.push({ operations: operations.map(copied), done });
    if (this.#pending.length === 1) this.#later(() => this.#sync());
  }

  get(key: string, done: (error: MeshError | undefined, value: Uint8Array | undefined) => void): void {
    const closed = this.#closed;
    this.#later(() => {
      if (closed) done(storeClosed(), undefined);
      else done(undefined, this.#synced.get(key));
    });
  }

  scan({ from, to }: ScanRange, take: (entries: readonly Entry[]) => void, done: (error: MeshError | undefined) => void): void {
    const closed = this.#closed;
    this.#later(() => {
      if (closed) return done(storeClosed());
      callBack(() => take(this.#synced.range(from, to)));
      done(undefined);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#pending.length === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #sync(): void {
    const group = this.#pending;
    this.#pending = [];
    const error = this.#error();
    for (const { operations } of group) if (error === undefined) apply(this.#synced, operations);
    for (const { done } of group) if (!this.#crashed) callBack(() => done(error));
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #error(): MeshError | undefined {
    if (this.#failure === undefined) return undefined;
    return this.#failure === "STORE_FULL" ? storeFull("memory") : storeFailed("memory");
  }

  #later(task: () => void): void {
    this.#schedule(() => {
      if (!this.#crashed) task();
    });
  }
}

function apply(disk: SortedMap<Uint8Array>, operations: readonly WriteOperation[]): void {
  for (const operation of operations) {
    if (operation.type === "put") disk.set(operation.key, operation.value);
    else disk.delete(operation.key);
  }
}

function copied(operation: WriteOperation): WriteOperation {
  return operation.type === "delete" ? operation : { ...operation, value: operation.value.slice() };
}
