import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { defaultDataDir } from "../config/data-dir.ts";
import { misspeltVariables } from "../config/environment.ts";
import { loadConfig } from "../config/load.ts";
import type { NodeConfig } from "../config/node-config.ts";
import { formatProblem } from "../config/problems.ts";
import { isMeshError, toMeshError } from "../core/errors.ts";
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { CONNECT_TIMEOUT, connection, namedPeers, peerOf } from "./mesh.ts";
import { exists } from "./plugin-folder.ts";
import { humanBytes } from "./table.ts";

export interface Finding {
  readonly level: "ok" | "warn" | "fail";
  readonly check: string;
  readonly detail: string;
  /** What to do about it. */
  readonly mend?: string;
}

const OLDEST = [20, 19] as const;

export function nodeVersion(version: string): Finding[] {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const fits = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  if (fits) return [{ level: "ok", check: "node", detail: version }];
  return [{ level: "fail", check: "node", detail: `${version} is too old`, mend: `install Node ${OLDEST.join(".")} or newer` }];
}

export async function npm({ services }: Context): Promise<Finding[]> {
  try {
    return [{ level: "ok", check: "npm", detail: await services.npmVersion() }];
  } catch {
    // Only plugins need it.
    return [{ level: "warn", check: "npm", detail: "not found", mend: "install npm to add plugins with `receptor plugin add`" }];
  }
}

/** Routes do not need the wall clock, certificates do. */
export function clock(now: Date): Finding[] {
  const year = now.getUTCFullYear();
  if (year >= 2025 && year < 2100) return [{ level: "ok", check: "clock", detail: now.toISOString() }];
  return [{ level: "warn", check: "clock", detail: `it says ${now.toISOString()}`, mend: "set the clock: certificates and logs go by it" }];
}

export function environment({ env }: Context): Finding[] {
  return misspeltVariables(env).map((problem) => ({ level: "warn", check: "environment", detail: formatProblem(problem) }));
}

export async function configuration(
  args: Arguments,
  { env, cwd, services }: Context,
): Promise<{ found: Finding[]; config: NodeConfig | undefined }> {
  try {
    const { config, file } = await loadConfig({ file: args.text("config"), env, cwd, checkUrl: await services.parseUrl() });
    return { found: [{ level: "ok", check: "configuration", detail: file ?? "no file; the defaults hold" }], config };
  } catch (error) {
    if (!isMeshError(error)) throw error;
    const lines = error.message.split("\n");
    return { found: lines.map((detail) => ({ level: "fail", check: "configuration", detail })), config: undefined };
  }
}

const LITTLE = 256 * 1024 * 1024;

export async function dataFolder(args: Arguments, config: NodeConfig | undefined, { env, services }: Context): Promise<Finding[]> {
  const check = "data folder";
  const folder = args.text("data-dir") ?? config?.dataDir ?? defaultDataDir(undefined, env);
  const found: Finding[] = [];
  const there = await exists(folder);
  const place = there ? folder : await nearestParent(folder);
  try {
    await access(place, constants.W_OK | constants.X_OK);
    found.push({ level: "ok", check, detail: there ? `${folder} can be written` : `${folder} will be made at the first start` });
  } catch {
    return [
      {
        level: "fail",
        check,
        detail: `${place} cannot be written`,
        mend: "give it to the user that runs the node (chown), or name another with --data-dir",
      },
    ];
  }
  if (there && process.platform !== "win32") {
    const { mode } = await stat(folder);
    if ((mode & 0o022) !== 0)
      found.push({ level: "warn", check, detail: `${folder} can be written by others`, mend: `chmod go-w ${folder}` });
  }
  const disk = await statfs(place);
  const free = disk.bavail * disk.bsize;
  if (free < LITTLE)
    found.push({ level: "warn", check: "disk", detail: `${humanBytes(free)} free`, mend: "make room: messages that wait are kept there" });
  else found.push({ level: "ok", check: "disk", detail: `${humanBytes(free)} free` });
  const holder = await services.describeHolder(folder);
  if (holder !== undefined && alive(holder.pid)) {
    found.push({ level: "ok", check, detail: `in use by node ${holder.node} (process ${holder.pid})` });
  }
  return found;
}

async function nearestParent(path: string): Promise<string> {
  let at = dirname(path);
  while (!(await exists(at)) && at !== dirname(at)) at = dirname(at);
  return at;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It exists, but belongs to somebody else.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

export async function listeners(config: NodeConfig, { services }: Context): Promise<Finding[]> {
  const parse = await services.parseUrl();
  const holder = config.dataDir === undefined ? undefined : await services.describeHolder(config.dataDir);
  return await Promise.all(
    config.listen.map(async (url): Promise<Finding> => {
      const { host, port } = parse(url);
      const why = port === 0 ? undefined : await services.probeListen(host, port);
      if (why === undefined) return { level: "ok", check: "listen", detail: `${url} is free` };
      if (holder !== undefined && alive(holder.pid))
        return { level: "ok", check: "listen", detail: `${url} is taken, as it should be while node ${holder.node} runs` };
      const mend = /EADDRINUSE/.test(why)
        ? `another program (a node, perhaps) listens there: see \`ss -ltnp | grep :${port}\`, or choose another port`
        : "choose an address of this machine";
      return { level: "warn", check: "listen", detail: `${url} cannot be listened on: ${why}`, mend };
    }),
  );
}

export async function peers(args: Arguments, config: NodeConfig | undefined, context: Context): Promise<Finding[]> {
  const named = namedPeers(args, context);
  // A broken configuration has been reported; what it says of peers is not known.
  if (config === undefined && named.length === 0) return [];
  if (named.length === 0 && config?.peers.length === 0) return [{ level: "ok", check: "peers", detail: "none to dial" }];
  const options = config === undefined ? { peers: named } : await connection(args, context);
  return await Promise.all(options.peers.map((url) => peer(url, { ...options, peers: [url] }, context)));
}

async function peer(url: string, options: { readonly peers: readonly string[] }, { services, signal }: Context): Promise<Finding> {
  try {
    const node = await services.connect({ ...options, timeout: CONNECT_TIMEOUT, signal });
    try {
      return { level: "ok", check: "peer", detail: `${url} answers: ${peerOf(node)}` };
    } finally {
      await node.close();
    }
  } catch (error) {
    const { message } = toMeshError(error);
    return {
      level: "fail",
      check: "peer",
      detail: message,
      mend: "start the node there, or open the way to it (address, firewall, certificates)",
    };
  }
}
