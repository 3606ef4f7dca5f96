import type { Database } from "./level-database.ts";

/** An operation whose record is as it will stand on the disk. */
export type SealedOperation =
  | { readonly type: "put"; readonly key: string; readonly record: Uint8Array }
  | { readonly type: "delete"; readonly key: string };

/** Mean bytes of an operation from which on a batch is large. */
const LARGE = 4_096;

/**
 * Brings the operations to the disk, all or none. A chained batch takes a sixth of the time of an array of small operations, but its memory, which is LevelDB's own and
 * unknown to V8, is let go of by the collector, who has no reason to come soon; that of an array is let go of when it is written.
 */
export async function writeBatch(database: Database, operations: readonly SealedOperation[]): Promise<void> {
  const bytes = operations.reduce((sum, operation) => sum + (operation.type === "put" ? operation.record.length : 0), 0);
  if (bytes >= LARGE * operations.length) {
    const list = operations.map((operation) =>
      operation.type === "put"
        ? { type: operation.type, key: operation.key, value: operation.record }
        : { type: "del" as const, key: operation.key },
    );
    await database.batch(list, { sync: true });
    return;
  }
  const batch = database.batch();
  for (const operation of operations) {
    if (operation.type === "put") batch.put(operation.key, operation.record);
    else batch.del(operation.key);
  }
  await batch.write({ sync: true });
}
