import { access } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { defaultDataDir } from "../config/data-dir.ts";
import { isMeshError, MeshError } from "../core/errors.ts";
import { type Arguments, usage } from "./arguments.ts";
import type { Context } from "./context.ts";
import { ask, namedPeers, ownConfig, peerOf, withMesh } from "./mesh.ts";

export interface PluginFolder {
  readonly folder: string;
  /** The process of the node that uses it, where it is known to run. */
  readonly pid: number | undefined;
}

interface Info {
  readonly node: string;
  readonly dataDir: string;
  readonly pid: number;
  readonly host: string;
}

/** The data folder that was named: --data-dir, else RECEPTOR_DATA_DIR, else the configuration's. */
export async function namedDataDir(args: Arguments, context: Context): Promise<string | undefined> {
  const { env, cwd } = context;
  const flag = args.text("data-dir") ?? (env["RECEPTOR_DATA_DIR"] || undefined);
  if (flag !== undefined) return resolve(cwd, flag);
  const own = await ownConfig(args, context);
  return own?.origins.get("node.dataDir")?.source === "default" ? undefined : own?.config.dataDir;
}

/** Where plugins are installed for the node that is meant. Rejects with INVALID_ARGUMENT where that node runs on another machine. */
export async function pluginFolder(args: Arguments, context: Context): Promise<PluginFolder> {
  const named = await namedDataDir(args, context);
  if (named !== undefined) return { folder: join(named, "plugins"), pid: (await context.services.describeHolder(named))?.pid };
  const info = await askInfo(args, context);
  if (info !== undefined) {
    const here = info.host === hostname() && (await exists(info.dataDir));
    if (here) return { folder: join(info.dataDir, "plugins"), pid: info.pid };
    if (namedPeers(args, context).length > 0)
      throw usage(`${info.node} runs on ${info.host}: install its plugins there, or say which folder with --data-dir`);
  }
  const id = (await ownConfig(args, context))?.config.id ?? (context.env["RECEPTOR_NODE_ID"] || undefined);
  return { folder: join(defaultDataDir(id, context.env), "plugins"), pid: undefined };
}

/** What the node says of itself; undefined where none was named and none answers. */
async function askInfo(args: Arguments, context: Context): Promise<Info | undefined> {
  const named = namedPeers(args, context).length > 0;
  const { signal } = context;
  try {
    const [answer] = await withMesh(
      args,
      context,
      (node) => ask(node, peerOf(node), "mesh:info", {}, { signal, timeout: 5_000 }),
      named ? 5_000 : 1_500,
    );
    if (isInfo(answer)) return answer;
    throw new MeshError("PROTOCOL_ERROR", "the node did not say where its data is");
  } catch (error) {
    if (named || signal.aborted || !isMeshError(error, "UNREACHABLE_MESH")) throw error;
    return undefined;
  }
}

function isInfo(value: unknown): value is Info {
  if (typeof value !== "object" || value === null) return false;
  return (
    ["node", "dataDir", "host"].every((name) => typeof Reflect.get(value, name) === "string") &&
    "pid" in value &&
    typeof value.pid === "number"
  );
}

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
