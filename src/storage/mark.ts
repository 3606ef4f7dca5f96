import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { seal, unseal } from "./record.ts";

const FILE = "MARK";

/** Where the store counts its writes, in each batch. Sorts behind every key of a room, so that no scan meets it. */
export const WRITES_KEY = "~writes";

/**
 * A file beside LevelDB's that says how many writes were acknowledged: LevelDB takes a log that was cut short for one that ends there.
 * It is never ahead of the store: it is written after the batch is on the disk, and without an fsync of its own.
 */
export class Mark {
  #file: number | undefined;

  private constructor(file: number | undefined) {
    this.#file = file;
  }

  /** Reads the mark in `dir`; 0 where there is none, or none that can be read. */
  static read(dir: string): number {
    try {
      return readCount(readFileSync(join(dir, FILE)));
    } catch {
      // Without a mark a loss at the end goes unseen; that is no reason not to start.
      return 0;
    }
  }

  static exists(dir: string): boolean {
    return existsSync(join(dir, FILE));
  }

  /** Opens the mark in `dir` for writing, which is made if needed. Where it cannot be, nothing is marked. */
  static open(dir: string): Mark {
    try {
      return new Mark(openSync(join(dir, FILE), constants.O_RDWR | constants.O_CREAT, 0o600));
    } catch {
      return new Mark(undefined);
    }
  }

  /** So many writes are on the disk. */
  set(writes: number): void {
    if (this.#file === undefined) return;
    try {
      writeSync(this.#file, countRecord(writes), 0, RECORD, 0);
    } catch {
      // An older mark says less, and nothing wrong.
      this.close();
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

const RECORD = 12;

/** The number of writes as it stands in the mark and in the store, with a checksum. */
export function countRecord(writes: number): Uint8Array {
  const value = new Uint8Array(8);
  new DataView(value.buffer).setFloat64(0, writes);
  return seal(WRITES_KEY, value);
}

/** Reads what `countRecord` made; 0 for anything else. */
export function readCount(record: Uint8Array | undefined): number {
  const value = record?.length === RECORD ? unseal(WRITES_KEY, record) : undefined;
  if (value === undefined) return 0;
  const count = new DataView(value.buffer, value.byteOffset, value.byteLength).getFloat64(0);
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}
