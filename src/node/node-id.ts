import { hostname } from "node:os";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MeshError } from "../core/errors.ts";
import { isNodeId, nodeId, type NodeId } from "../core/ids.ts";

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
