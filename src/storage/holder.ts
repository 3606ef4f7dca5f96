import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isNodeId, type NodeId } from "../core/ids.ts";

const FILE = "node.pid.json";

/** Who uses a data folder. */
export interface Holder {
  readonly pid: number;
  readonly node: NodeId;
}

/** Notes in `dataDir` who uses it, for the message that a second node gives. To be called by who has the store open. */
export async function writeHolder(dataDir: string, holder: Holder): Promise<void> {
  await writeFile(join(dataDir, FILE), `${JSON.stringify({ pid: holder.pid, node: holder.node })}\n`, { mode: 0o600 });
}

/** Removes the note. Removing twice is harmless. */
export async function removeHolder(dataDir: string): Promise<void> {
  await rm(join(dataDir, FILE), { force: true });
}

/** Who noted that it uses `dataDir`; undefined where nobody did, or the note cannot be read. */
export async function describeHolder(dataDir: string): Promise<Holder | undefined> {
  let note: unknown;
  try {
    note = JSON.parse(await readFile(join(dataDir, FILE), "utf8"));
  } catch {
    // The note is a courtesy: without it the message is only less precise.
    return undefined;
  }
  if (typeof note !== "object" || note === null || !("pid" in note) || !("node" in note)) return undefined;
  const { pid, node } = note;
  return typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0 && isNodeId(node) ? { pid, node } : undefined;
}
