import type { Entry, ScanRange } from "./store.ts";
import type { Database } from "./level-database.ts";
import { faultOf } from "./level-errors.ts";
import { unseal } from "./record.ts";

/** One batch of an iterator: entries and the bytes that they may take in memory. */
const PAGE = 1000;
const PAGE_BYTES = 256 * 1024;

export interface ReadEntries {
  readonly entries: readonly Entry[];
  /** Records, or whole blocks of them, that could not be read. */
  readonly corrupt: number;
}

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

/** At most `limit` good entries in key order: what is damaged does not use up the limit. Rejects as the database does. */
export async function readRange(database: Database, range: ScanRange): Promise<ReadEntries> {
  const entries: Entry[] = [];
  let corrupt = 0;
  let last: string | undefined;
  // LevelDB passes over a block that it cannot read, and says so only at the end of the range, in place of the last entries: from
  // then on they are read one by one.
  let careful = false;
  for (;;) {
    const bounds = last === undefined ? { gte: range.from, lt: range.to } : { gt: last, lt: range.to };
    const iterator = database.iterator({ ...bounds, highWaterMarkBytes: PAGE_BYTES });
    try {
      while (entries.length < range.limit) {
        const page = await iterator.nextv(careful ? 1 : Math.min(PAGE, range.limit - entries.length));
        if (page.length === 0) return { entries, corrupt };
        for (const [key, record] of page) {
          const value = unseal(key, record);
          if (value === undefined) corrupt++;
          else entries.push({ key, value });
          last = key;
        }
      }
      return { entries, corrupt };
    } catch (error) {
      if (faultOf(error) !== "damaged") throw error;
      if (careful) return { entries, corrupt };
      careful = true;
      corrupt++;
    } finally {
      await iterator.close();
    }
  }
}
