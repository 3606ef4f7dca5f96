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
export function scan(store: Store, range: ScanRange, take: (entries: readonly Entry[]) => void): Promise<void> {
  return new Promise((resolve, reject) => store.scan(range, take, (error) => (error === undefined ? resolve() : reject(error))));
}

/** All that a scan finds. */
export async function entriesOf(store: Store, range: ScanRange): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  await scan(store, range, (entries) => void found.push(...entries));
  return found;
}
