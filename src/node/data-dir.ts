import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { isMeshError, MeshError, toMeshError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { ResourceStack } from "../core/resources.ts";
import { describeHolder } from "../storage/holder.ts";
import { type LevelStats, LevelStore, openLevelStore } from "../storage/level-store.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { scan } from "../storage/promised.ts";
import type { Store, StoreStats } from "../storage/store.ts";
import type { Counts } from "../telemetry/counts.ts";

/** Where delivery keeps what it took. */
const JOURNAL = "journal/";

/** Makes the data folder; without one, a temporary one that is removed at the end. */
export async function prepareDataDir(dataDir: string | undefined, resources: ResourceStack): Promise<string> {
  if (dataDir === undefined) {
    const temporary = await mkdtemp(join(tmpdir(), "receptor-"));
    resources.defer(() => rm(temporary, { recursive: true, force: true, maxRetries: 3 }));
    return temporary;
  }
  await makeDataDir(dataDir);
  return dataDir;
}

/** Makes the data folder, and those above it, for its user alone. Rejects with CONFIG_INVALID. */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await makeFolders(resolve(dataDir));
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", `the data folder ${dataDir} cannot be made: ${toMeshError(cause).message}`, { cause });
  }
}

/** One after the other: `recursive` of Node never ends where there is the folder above and nothing can be made in it, as in /proc. */
async function makeFolders(folder: string): Promise<void> {
  if (await makeFolder(folder)) return;
  await makeFolders(dirname(folder));
  if (!(await makeFolder(folder))) throw new MeshError("CONFIG_INVALID", `nothing can be made in ${dirname(folder)}`);
}

/** `false`: there is no folder above it. */
async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT" && dirname(folder) !== folder) return false;
    if ((await stat(folder).catch(() => undefined))?.isDirectory() === true) return true;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** Opens the store in the data folder; short-lived nodes have one in memory. Rejects with DATA_DIR_IN_USE that says who holds it. */
export async function openStore(dataDir: string, ephemeral: boolean, log: Logger, resources: ResourceStack): Promise<Store> {
  if (ephemeral) return new MemoryStore();
  try {
    const store = await openLevelStore(join(dataDir, "store"), { log });
    resources.defer(() => store.close());
    return store;
  } catch (error) {
    if (!isMeshError(error, "DATA_DIR_IN_USE")) throw error;
    const holder = await describeHolder(dataDir);
    const who = holder === undefined ? "another process" : `node "${holder.node}" (process ${holder.pid})`;
    throw new MeshError(
      "DATA_DIR_IN_USE",
      `the data folder ${dataDir} is in use by ${who}: give this node another --data-dir, or stop that one`,
      { cause: error, data: { dataDir } },
    );
  }
}

/** Why the store takes no writes at the moment; empty where it does. */
export function storeWarnings(store: Store): string[] {
  const { state } = store.stats;
  if (state === "full") return ["the disk of the data folder is full: messages that should wait here are refused"];
  if (state === "failed") return ["the data folder cannot be written to: messages that should wait here are refused"];
  return [];
}

/** Whether the store has lost anything, for all that its stats and a look through the works that it took can tell. */
export async function hasLost(store: Store): Promise<boolean> {
  await scan(store, { from: JOURNAL, to: `${JOURNAL}~` }, () => undefined);
  const { corruptRecords, lostBytes, lostWrites, repaired } = statsOf(store);
  return repaired || corruptRecords + lostBytes + lostWrites > 0;
}

function statsOf(store: Store): StoreStats & Pick<LevelStats, "lostBytes" | "lostWrites" | "repaired"> {
  return store instanceof LevelStore ? store.stats : { ...store.stats, lostBytes: 0, lostWrites: 0, repaired: false };
}

/** What the store has lost since the node started, or was found to have lost then. */
export function lossWarnings(store: Store, counts: Counts): string[] {
  const { corruptRecords, setAside, lostBytes, lostWrites, repaired } = statsOf(store);
  const warnings: readonly (readonly [boolean, string])[] = [
    [setAside !== undefined, `a damaged store was set aside at ${setAside}; the node began with an empty one`],
    [repaired, "the store was damaged and has been repaired: records may be gone"],
    [lostBytes > 0, `${lostBytes} bytes of the store's log were damaged and left out`],
    [lostWrites > 0, lostWrites === 1 ? "the newest write of the store is lost" : `the ${lostWrites} newest writes of the store are lost`],
    [corruptRecords > 0, `${corruptRecords} damaged records of the store were left out`],
    [
      counts.parkedLost > 0,
      `${counts.parkedLost} messages that waited here are lost: who sent them sends them again, or hears that they expired`,
    ],
    [counts.outboxLost > 0, `${counts.outboxLost} durable messages that were sent from here cannot be read`],
    [counts.journalLost > 0, `${counts.journalLost} durable works that were taken here cannot be read: they do not run again`],
  ];
  return warnings.filter(([holds]) => holds).map(([, text]) => text);
}
