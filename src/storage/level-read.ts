import type { Entry, ScanRange } from "./store.ts";
import type { Database } from "./level-database.ts";
import { faultOf } from "./level-errors.ts";
import { unseal } from "./record.ts";

/** One batch of an iterator: entries and the bytes that they may take in memory. While one is taken the next is read. */
const PAGE = 1000;
const PAGE_BYTES = 256 * 1024;

export interface ReadValue {
  readonly value: Uint8Array | undefined;
  readonly corrupt: number;
}

/** The value under `key`; one that is damaged counts as corrupt and is left out. Rejects as the database does. */
export async function readValue(database: Database, key: string): Promise<ReadValue> {
  let record: Uint8Array | undefined;
  try {
    record = await database.get(key);
  } catch (error) {
    if (faultOf(error) !== "damaged") throw error;
    return { value: undefined, corrupt: 1 };
  }
  if (record === undefined) return { value: undefined, corrupt: 0 };
  const value = unseal(key, record);
  return { value, corrupt: value === undefined ? 1 : 0 };
}

/**
 * Hands `take` the good entries of the range in key order, some at a time, while LevelDB reads on; resolves to how many records, or whole blocks of them, could
 * not be read. Rejects as the database and `take` do.
 */
export async function readRange(database: Database, range: ScanRange, take: (entries: readonly Entry[]) => void): Promise<number> {
  let corrupt = 0;
  let last: string | undefined;
  // LevelDB passes over a block that it cannot read, and says so only at the end of the range, in place of the last entries: from
  // then on they are read one by one.
  let careful = false;
  for (;;) {
    const bounds = last === undefined ? { gte: range.from, lt: range.to } : { gt: last, lt: range.to };
    const iterator = database.iterator({ ...bounds, highWaterMarkBytes: PAGE_BYTES });
    const read = (): Promise<[string, Uint8Array][]> => {
      const page = iterator.nextv(careful ? 1 : PAGE);
      // It may fail while what came before is taken.
      page.catch(() => undefined);
      return page;
    };
    try {
      for (let page = await read(); page.length > 0; ) {
        const next = read();
        const entries: Entry[] = [];
        for (const [key, record] of page) {
          const value = unseal(key, record);
          if (value === undefined) corrupt++;
          else entries.push({ key, value });
          last = key;
        }
        take(entries);
        page = await next;
      }
      return corrupt;
    } catch (error) {
      if (faultOf(error) !== "damaged") throw error;
      if (careful) return corrupt;
      careful = true;
      corrupt++;
    } finally {
      await iterator.close();
    }
  }
}
