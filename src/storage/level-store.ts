import { MeshError } from "../core/errors.ts";
import type { Millis } from "../core/instant.ts";
import { type Log, SILENT } from "../core/log.ts";
import { callBack, GroupCommit, type PendingWrite } from "./group-commit.ts";
import { type Database, type OpenedDatabase, openDatabase } from "./level-database.ts";
import { faultOf, rootMessage, storeClosed, storeFailed, storeFull } from "./level-errors.ts";
import { readRange, readValue } from "./level-read.ts";
import { countRecord, Mark, readCount, WRITES_KEY } from "./mark.ts";
import { hasRoom } from "./room.ts";
import { seal } from "./record.ts";
import { RecordMemory } from "./record-memory.ts";
import type { Entry, ScanRange, Store, StoreStats, WriteOperation } from "./store.ts";
import { type SealedOperation, writeBatch } from "./write-batch.ts";

export interface LevelStoreOptions {
  readonly log?: Log;
  /** Wall time in milliseconds since 1970, for the name of a folder that is set aside; default `Date.now`. */
  readonly now?: () => Millis;
  /** How long a store without room or disk waits before it tries again; default 2 s. */
  readonly retry?: Millis;
}

export interface LevelStats extends StoreStats {
  /** Writes that are on the disk, the batches they went in, and writes that failed. */
  readonly writes: number;
  readonly batches: number;
  readonly errors: number;
  /** Bytes of writes that are not on the disk yet. */
  readonly pendingBytes: number;
  /** Damage at opening was repaired; records may be gone. */
  readonly repaired: boolean;
  /** Bytes of damaged log that LevelDB left out at opening. */
  readonly lostBytes: number;
  /** Acknowledged writes, the newest ones, that were not there at opening. */
  readonly lostWrites: number;
}

type State = StoreStats["state"];

/**
 * Opens the store in the folder `dir`, which is made if needed and belongs to this store alone. Damage is repaired or set aside, and
 * reported in `stats`. Rejects with DATA_DIR_IN_USE, STORE_FULL, STORE_CORRUPT, or CONFIG_INVALID where the folder may not be written.
 */
export async function openLevelStore(dir: string, options: LevelStoreOptions = {}): Promise<LevelStore> {
  const settings = { log: options.log ?? SILENT, now: options.now ?? Date.now, retry: options.retry ?? 2_000 };
  const opened = await openDatabase(dir, settings.log, settings.now);
  return new LevelStore(dir, settings, { ...opened, mark: await openMark(dir, opened.database, settings.log) });
}

interface Opened extends OpenedDatabase {
  readonly mark: OpenedMark;
}

interface OpenedMark {
  readonly file: Mark;
  /** Writes that were ever acknowledged here. */
  readonly writes: number;
  readonly lost: number;
}

/** Compares what was acknowledged with what is there. */
async function openMark(dir: string, database: Database, log: Log): Promise<OpenedMark> {
  const marked = Mark.read(dir);
  const stored = readCount(await database.get(WRITES_KEY).catch(() => undefined));
  const lost = Math.max(0, marked - stored);
  if (lost > 0) log.error({ dir, writes: lost }, "store has lost its newest writes");
  return { file: Mark.open(dir), writes: Math.max(marked, stored), lost };
}

/** A store in LevelDB: fsynced group commit, a checksum per record, and recovery from a full or lost disk by itself. */
export class LevelStore implements Store {
  readonly #dir: string;
  readonly #options: Required<LevelStoreOptions>;
  readonly #group: GroupCommit<SealedOperation>;
  readonly #memory = new RecordMemory();
  readonly #take = (length: number): Uint8Array => this.#memory.take(length);
  readonly #reads = new Set<Promise<unknown>>();
  #database: Database | undefined;
  #mark: Mark | undefined;
  /** Writes that were acknowledged since the store was made. */
  #count = 0;
  #state: State = "ok";
  #damaged = false;
  #reopening: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #setAside: string | undefined;
  #repaired = false;
  #lostBytes = 0;
  #lostWrites = 0;
  #corrupt = 0;
  #writes = 0;
  #batches = 0;
  #errors = 0;

  /** Use `openLevelStore`. */
  constructor(dir: string, options: Required<LevelStoreOptions>, opened: Opened) {
    this.#dir = dir;
    this.#options = options;
    this.#group = new GroupCommit(async (group) => {
      const error = await this.#commit(group);
      for (const { operations } of group)
        for (const operation of operations) if (operation.type === "put") this.#memory.give(operation.record);
      return error;
    });
    this.#adopt(opened);
  }

  get stats(): LevelStats {
    return {
      state: this.#state,
      corruptRecords: this.#corrupt,
      setAside: this.#setAside,
      writes: this.#writes,
      batches: this.#batches,
      errors: this.#errors,
      pendingBytes: this.#group.pendingBytes,
      repaired: this.#repaired,
      lostBytes: this.#lostBytes,
      lostWrites: this.#lostWrites,
    };
  }

  write(operations: readonly WriteOperation[], done: (error: MeshError | undefined) => void): void {
    if (this.#closing !== undefined) {
      queueMicrotask(() => done(storeClosed()));
      return;
    }
    let bytes = 0;
    const sealed = operations.map((operation): SealedOperation => {
      bytes += operation.key.length;
      if (operation.type === "delete") return operation;
      bytes += operation.value.length;
      return { type: "put", key: operation.key, record: seal(operation.key, operation.value, this.#take) };
    });
    this.#group.add({ operations: sealed, bytes, done });
  }

  get(key: string, done: (error: MeshError | undefined, value: Uint8Array | undefined) => void): void {
    this.#read(
      (database) => readValue(database, key),
      ({ value }) => done(undefined, value),
      (error) => done(error, undefined),
    );
  }

  scan(range: ScanRange, take: (entries: readonly Entry[]) => void, done: (error: MeshError | undefined) => void): void {
    const handOver = (entries: readonly Entry[]): void => {
      // Who closes does not wait for all that is there.
      if (this.#closing !== undefined) throw storeClosed();
      callBack(() => take(entries));
    };
    this.#read(
      async (database) => ({ corrupt: await readRange(database, range, handOver) }),
      () => done(undefined),
      done,
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#group.idle();
    await this.#reopening;
    clearTimeout(this.#timer);
    this.#state = "closed";
    await this.#release();
  }

  #read<Found extends { readonly corrupt: number }>(
    find: (database: Database) => Promise<Found>,
    done: (found: Found) => void,
    failed: (error: MeshError) => void,
  ): void {
    if (this.#closing !== undefined) {
      queueMicrotask(() => failed(storeClosed()));
      return;
    }
    void this.#answer(find, done, failed);
  }

  async #answer<Found extends { readonly corrupt: number }>(
    find: (database: Database) => Promise<Found>,
    done: (found: Found) => void,
    failed: (error: MeshError) => void,
  ): Promise<void> {
    let found: Found;
    try {
      found = await this.#find(find);
    } catch (error) {
      callBack(() => failed(this.#readError(error)));
      return;
    }
    this.#countCorrupt(found.corrupt);
    callBack(() => done(found));
  }

  async #find<Found>(find: (database: Database) => Promise<Found>): Promise<Found> {
    if (this.#database === undefined) await this.#reopening;
    if (this.#database === undefined) throw this.#stateError();
    const answer = find(this.#database);
    this.#reads.add(answer);
    try {
      return await answer;
    } finally {
      this.#reads.delete(answer);
    }
  }

  #countCorrupt(count: number): void {
    if (count === 0) return;
    if (this.#corrupt === 0) this.#options.log.error({ dir: this.#dir }, "store has damaged records, they are left out");
    this.#corrupt += count;
  }

  #readError(error: unknown): MeshError {
    if (error instanceof MeshError) return error;
    return faultOf(error) === "full" ? storeFull(this.#dir, error) : storeFailed(this.#dir, error);
  }

  #stateError(cause?: unknown): MeshError {
    if (this.#state === "closed") return storeClosed();
    return this.#state === "full" ? storeFull(this.#dir, cause) : storeFailed(this.#dir, cause);
  }

  async #commit(group: readonly PendingWrite<SealedOperation>[]): Promise<MeshError | undefined> {
    if (this.#state !== "ok" || this.#database === undefined) {
      this.#errors += group.length;
      return this.#stateError();
    }
    try {
      const count = { type: "put", key: WRITES_KEY, record: countRecord(this.#count + group.length) } as const;
      await writeBatch(this.#database, [...group.flatMap(({ operations }) => operations), count]);
    } catch (error) {
      this.#errors += group.length;
      return this.#stopWriting(error);
    }
    this.#count += group.length;
    this.#mark?.set(this.#count);
    this.#writes += group.length;
    this.#batches++;
    return undefined;
  }

  /** After one failed write LevelDB's log may end in a torn record; writing on would put what follows behind it at risk. */
  #stopWriting(cause: unknown): MeshError {
    const fault = faultOf(cause);
    this.#state = fault === "full" ? "full" : "failed";
    this.#damaged = fault === "damaged";
    this.#options.log.error({ dir: this.#dir, state: this.#state, reason: rootMessage(cause) }, "store takes no writes");
    this.#retryLater();
    return this.#stateError(cause);
  }

  #retryLater(): void {
    if (this.#closing !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#reopening = this.#reopen().finally(() => {
        this.#reopening = undefined;
      });
    }, this.#options.retry);
    this.#timer.unref();
  }

  async #reopen(): Promise<void> {
    if (this.#state === "full" && !(await hasRoom(this.#dir))) return this.#retryLater();
    try {
      await this.#release();
      const opened = await openDatabase(this.#dir, this.#options.log, this.#options.now, this.#damaged);
      this.#adopt({ ...opened, mark: await openMark(this.#dir, opened.database, this.#options.log) });
      this.#damaged = false;
      await this.#probe();
    } catch (error) {
      this.#state = faultOf(error) === "full" ? "full" : "failed";
      this.#options.log.debug({ dir: this.#dir, state: this.#state, reason: rootMessage(error) }, "store still takes no writes");
      return this.#retryLater();
    }
    this.#state = "ok";
    this.#options.log.info({ dir: this.#dir }, "store takes writes again");
  }

  async #probe(): Promise<void> {
    // Deleting what is not there is a write like any other.
    await this.#database?.del("!probe", { sync: true });
  }

  async #release(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    this.#mark?.close();
    this.#mark = undefined;
    await Promise.allSettled(this.#reads);
    await database?.close();
  }

  #adopt(opened: Opened): void {
    this.#database = opened.database;
    this.#mark = opened.mark.file;
    this.#count = opened.mark.writes;
    this.#lostWrites += opened.mark.lost;
    this.#setAside = opened.setAside ?? this.#setAside;
    this.#repaired ||= opened.repaired;
    this.#lostBytes += opened.lostBytes;
  }
}
