import { chmod, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Level } from "level";
import { MeshError } from "../core/errors.ts";
import type { Millis } from "../core/instant.ts";
import type { Log } from "../core/log.ts";
import { describeHolder } from "./holder.ts";
import { faultOf, rootMessage, storeFailed, storeFull } from "./level-errors.ts";
import { Mark } from "./mark.ts";
import { unseal } from "./record.ts";
import { looksLikeStore, setAside } from "./set-aside.ts";

/** Records that are looked at to tell whose a database is. */
const SAMPLE = 16;

export type Database = Level<string, Uint8Array>;

export interface OpenedDatabase {
  readonly database: Database;
  /** It was damaged, and LevelDB's repair made it readable; some records may be gone. */
  readonly repaired: boolean;
  /** Where what could not be mended was moved. */
  readonly setAside: string | undefined;
  /** Bytes of the write-ahead log that LevelDB left out because they were damaged. */
  readonly lostBytes: number;
}

/**
 * Opens the LevelDB in `dir`, which is made if needed. A damaged one is repaired (with `repairFirst`, also one that would open); what
 * cannot be repaired is set aside and a new one is begun. Rejects with DATA_DIR_IN_USE, STORE_FULL, CONFIG_INVALID (no permission), or
 * STORE_CORRUPT.
 */
export async function openDatabase(dir: string, log: Log, now: () => Millis, repairFirst = false): Promise<OpenedDatabase> {
  let why = "damage found while it was in use";
  if (!repairFirst) {
    try {
      const found = await opened(dir, log);
      if (!(await isForeign(dir, found.database))) return found;
      await found.database.close();
      return await begunAnew(dir, log, now, "the database of another program");
    } catch (error) {
      await throwUnlessDamaged(dir, error);
      why = rootMessage(error);
    }
  }
  if (await looksLikeStore(dir)) {
    log.warn({ dir, reason: why }, "store damaged, repairing");
    try {
      return await mended(dir, log);
    } catch (error) {
      await throwUnlessDamaged(dir, error);
      why = rootMessage(error);
    }
  }
  return await begunAnew(dir, log, now, why);
}

async function begunAnew(dir: string, log: Log, now: () => Millis, reason: string): Promise<OpenedDatabase> {
  const aside = await setAside(dir, now());
  log.error({ dir, setAside: aside, reason }, "store unreadable, set aside");
  try {
    return { ...(await opened(dir, log)), setAside: aside };
  } catch (error) {
    await throwUnlessDamaged(dir, error);
    throw storeFailed(dir, error);
  }
}

/** Whether somebody else wrote it: in our own at least one of the first records has its checksum. */
async function isForeign(dir: string, database: Database): Promise<boolean> {
  if (Mark.exists(dir)) return false;
  const first = await database.iterator({ limit: SAMPLE }).all();
  return first.length > 0 && first.every(([key, record]) => unseal(key, record) === undefined);
}

async function mended(dir: string, log: Log): Promise<OpenedDatabase> {
  await repair(dir);
  const lost = await droppedBytes(dir);
  const result = await opened(dir, log);
  return { ...result, repaired: true, lostBytes: lost + result.lostBytes };
}

async function opened(dir: string, log: Log): Promise<OpenedDatabase> {
  await ownerOnly(dir);
  const database: Database = new Level(dir, { keyEncoding: "utf8", valueEncoding: "view" });
  await database.open();
  const lostBytes = await droppedBytes(dir);
  if (lostBytes > 0) log.error({ dir, bytes: lostBytes }, "store log was damaged, records are lost");
  return { database, repaired: false, setAside: undefined, lostBytes };
}

/** LevelDB makes folders and files that others may read, also where the data folder was made by somebody who let them. */
async function ownerOnly(dir: string): Promise<void> {
  const ignored = (): undefined => undefined;
  // What is wrong with the folder is said where it is opened.
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch(ignored);
  await chmod(dir, 0o700).catch(ignored);
}

/** Throws where neither repair nor a new folder would help, or where a good store might be taken for a bad one. */
async function throwUnlessDamaged(dir: string, error: unknown): Promise<void> {
  const fault = faultOf(error);
  if (fault === "locked") throw await inUse(dir, error);
  if (fault === "full") throw storeFull(dir, error);
  if (fault === "denied") {
    const message = `the data folder ${dirname(dir)} cannot be written: ${rootMessage(error)}`;
    throw new MeshError("CONFIG_INVALID", message, { data: { dir }, cause: error });
  }
  if (fault === "other") throw storeFailed(dir, error);
}

async function inUse(dir: string, cause: unknown): Promise<MeshError> {
  const dataDir = dirname(dir);
  const holder = await describeHolder(dataDir);
  const who = holder === undefined ? "another process" : `node "${holder.node}" (process ${holder.pid})`;
  const message = `the data folder ${dataDir} is in use by ${who}: stop it, or choose another with --data-dir`;
  const data = holder === undefined ? { dir: dataDir } : { dir: dataDir, node: holder.node, pid: holder.pid };
  return new MeshError("DATA_DIR_IN_USE", message, { data, cause });
}

async function repair(dir: string): Promise<void> {
  // The types of `level` are those of its browser twin too, which has no repair.
  const method: unknown = Reflect.get(Level, "repair");
  if (typeof method !== "function") throw new MeshError("STORE_CORRUPT", "this build of LevelDB cannot repair", { data: { dir } });
  await method.call(Level, dir);
}

/** LevelDB skips damaged parts of its log at opening, and says so only in its own LOG file. */
async function droppedBytes(dir: string): Promise<number> {
  const text = await readFile(join(dir, "LOG"), "latin1").catch(() => "");
  let bytes = 0;
  for (const match of text.matchAll(/: dropping (\d+) bytes/g)) bytes += Number(match[1]);
  return bytes;
}
