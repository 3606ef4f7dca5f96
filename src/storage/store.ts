import type { MeshError } from "../core/errors.ts";

/** One change. Keys are ASCII text that sorts as it should be scanned. */
export type WriteOperation =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "delete"; readonly key: string };

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
}

export interface ScanRange {
  /** First key. */
  readonly from: string;
  /** The key to stop before. */
  readonly to: string;
}

export interface StoreStats {
  /** ok: takes writes. full: no room; it tries again by itself. failed: it lost its disk; it tries again by itself. closed. */
  readonly state: "ok" | "full" | "failed" | "closed";
  /** Records whose checksum was wrong; they are left out of every answer. */
  readonly corruptRecords: number;
  /** Where a damaged store was set aside at opening, if it was. */
  readonly setAside: string | undefined;
}

/**
 * An ordered map on a disk. Callbacks, not promises: the node's engine runs in virtual time too. Callbacks never run before the call
 * returns, and writes take effect in the order of the calls.
 */
export interface Store {
  readonly stats: StoreStats;
  /**
   * Queues writes that become true together. `done` runs when they are on the disk; writes that wait at the same time share
   * one batch and one fsync (group commit). Errors: STORE_FULL, STORE_CORRUPT, CLOSED.
   */
  write(operations: readonly WriteOperation[], done: (error: MeshError | undefined) => void): void;
  get(key: string, done: (error: MeshError | undefined, value: Uint8Array | undefined) => void): void;
  /**
   * Hands `take` the entries of the range in key order, some at a time; then `done` runs, with an error where not all could be. Records with a
   * wrong checksum are counted and left out. Errors: STORE_FULL, STORE_CORRUPT, CLOSED.
   */
  scan(range: ScanRange, take: (entries: readonly Entry[]) => void, done: (error: MeshError | undefined) => void): void;
  /** Waits for what is queued, then closes. Closing twice is harmless. */
  close(): Promise<void>;
}
