import { hostname } from "node:os";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { v4 } from "uuid";
import { fromUtf8, utf8 } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import { isNodeId, nodeId, type NodeId } from "../core/ids.ts";
import type { Store } from "../storage/store.ts";

const KEY = "node/life";
const BOOTS = 16;

/** One life of a node, from start to stop. */
export interface Life {
  readonly epoch: number;
  /** 32 hexadecimal digits: 8 that name the store, 24 that are new in each life. */
  readonly boot: string;
  /** Those of the lives before, the latest last. */
  readonly recentBoots: readonly string[];
}

/** Begins a new life: the epoch is raised and on disk before it is used. */
export async function beginLife(store: Store): Promise<Life> {
  const before = readLife(await get(store, KEY));
  const storeName = before.boots.at(-1)?.slice(0, 8) ?? randomBytes(4).toString("hex");
  const boot = storeName + v4().replaceAll("-", "").slice(8);
  const life: Life = { epoch: before.epoch + 1, boot, recentBoots: before.boots.slice(-BOOTS) };
  await saveLife(store, life, life.epoch);
  return life;
}

/** Remembers a greater epoch, which the node took because the mesh knew one of its own that it did not. */
export function saveLife(store: Store, life: Life, epoch: number): Promise<void> {
  const value = utf8(JSON.stringify({ epoch, boots: [...life.recentBoots, life.boot].slice(-BOOTS) }));
  return new Promise((resolve, reject) => {
    store.write([{ type: "put", key: KEY, value }], (error) => (error === undefined ? resolve() : reject(error)));
  });
}

function readLife(value: Uint8Array | undefined): { epoch: number; boots: string[] } {
  const text = value === undefined ? undefined : fromUtf8(value);
  if (text === undefined) return { epoch: 0, boots: [] };
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== "object" || parsed === null || !("epoch" in parsed) || typeof parsed.epoch !== "number")
    return { epoch: 0, boots: [] };
  const boots =
    "boots" in parsed && Array.isArray(parsed.boots) ? parsed.boots.filter((boot): boot is string => typeof boot === "string") : [];
  return { epoch: parsed.epoch, boots };
}

function get(store: Store, key: string): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    store.get(key, (error, value) => (error === undefined ? resolve(value) : reject(error)));
  });
}

/** The id that was given, else the one in the data folder, else a new one that is kept there: host name and a short random part. */
export async function resolveNodeId(given: string | undefined, dataDir: string): Promise<NodeId> {
  if (given !== undefined) return nodeId(given);
  const path = join(dataDir, "node-id");
  const kept = await readFile(path, "utf8").catch(() => "");
  if (isNodeId(kept.trim())) return nodeId(kept.trim());
  const host =
    hostname()
      .split(".")[0]
      ?.replaceAll(/[^A-Za-z0-9_-]/g, "-") ?? "";
  const made = nodeId(`${host === "" ? "node" : host.slice(0, 100)}-${randomBytes(3).toString("hex")}`);
  try {
    await writeFile(path, `${made}\n`, { mode: 0o600 });
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", `the data folder ${dataDir} cannot be written to`, { cause });
  }
  return made;
}
