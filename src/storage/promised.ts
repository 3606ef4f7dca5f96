import type { Entry, ScanRange, Store, WriteOperation } from "./store.ts";

/** `store.write` as a promise. */
export function write(store: Store, operations: readonly WriteOperation[]): Promise<void> {
  return new Promise((resolve, reject) => store.write(operations, (error) => (error === undefined ? resolve() : reject(error))));
}

/** `store.get` as a promise. */
export function get(store: Store, key: string): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => store.get(key, (error, value) => (error === undefined ? resolve(value) : reject(error))));
}

/** `store.scan` as a promise. */
export function scan(store: Store, range: ScanRange): Promise<readonly Entry[]> {
  return new Promise((resolve, reject) => store.scan(range, (error, entries) => (error === undefined ? resolve(entries) : reject(error))));
}
