import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMeshError, MeshError, toMeshError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { ResourceStack } from "../core/resources.ts";
import { describeHolder } from "../storage/holder.ts";
import { openLevelStore } from "../storage/level-store.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import type { Store } from "../storage/store.ts";

/** Makes the data folder; without one, a temporary one that is removed at the end. */
export async function prepareDataDir(dataDir: string | undefined, resources: ResourceStack): Promise<string> {
  if (dataDir === undefined) {
    const temporary = await mkdtemp(join(tmpdir(), "receptor-"));
    resources.defer(() => rm(temporary, { recursive: true, force: true, maxRetries: 3 }));
    return temporary;
  }
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", `the data folder ${dataDir} cannot be made: ${toMeshError(cause).message}`, { cause });
  }
  return dataDir;
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

/** What a person should know of the store. */
export function storeWarnings(store: Store): string[] {
  const { state, corruptRecords, setAside } = store.stats;
  return [
    ...(state === "full" ? ["the disk of the data folder is full: messages that should wait here are refused"] : []),
    ...(state === "failed" ? ["the data folder cannot be written to: messages that should wait here are refused"] : []),
    ...(corruptRecords > 0 ? [`${corruptRecords} damaged records of the store were left out`] : []),
    ...(setAside === undefined ? [] : [`a damaged store was set aside at ${setAside}; the node began with an empty one`]),
  ];
}
