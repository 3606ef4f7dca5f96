import { execFile } from "node:child_process";
import { realpath } from "node:fs/promises";
import { promisify } from "node:util";
import { MeshError, toMeshError } from "../../core/errors.ts";
import { PROGRAM } from "../place.ts";
import { HIDING_TOOLS, hidingCommand, isInside } from "./hiding.ts";
import type { Isolation } from "./isolation.ts";

/** What of the node's is not for its plugins. */
export interface Secrets {
  /** Keys, store, and all else that the node keeps. */
  readonly dataDir: string;
  /** Where plugins are installed, in that folder: they are shown it all the same. */
  readonly plugins: string;
}

/** How a plugin's process is started. */
export interface Launch {
  /** What runs Node, with its arguments; empty: nothing does. */
  readonly through: readonly string[];
  /** As whom; undefined: as the node. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  /** Whether what is not for plugins is out of its reach. */
  readonly hidden: boolean;
}

export const PLAIN_LAUNCH: Launch = { through: [], user: undefined, hidden: false };

/** Milliseconds that a tool of the system may take. */
const LIMIT = 10_000;
const run = promisify(execFile);

/**
 * Decides how a plugin's process is started. `entry`: the file that it loads. Rejects with CONFIG_INVALID where the configuration
 * asks for what this system, or this node's user, cannot do.
 */
export async function planLaunch({ hide, user }: Isolation, secrets: Secrets | undefined, entry: string): Promise<Launch> {
  if (user !== undefined) return { through: [], user: await lookUp(user), hidden: true };
  const asked = hide !== undefined && hide !== false;
  // Root has rights that a namespace takes away: who wants that says so.
  if (secrets === undefined || hide === false || (!asked && process.getuid?.() === 0)) return PLAIN_LAUNCH;
  const named: readonly string[] = typeof hide === "object" ? hide : [];
  const [plugins, program, file, ...folders] = await Promise.all(
    [secrets.plugins, PROGRAM, entry, secrets.dataDir, ...named].map((path) => realpath(path).catch(() => path)),
  );
  if (plugins === undefined || program === undefined || file === undefined) return PLAIN_LAUNCH;
  const lost = [program, file].find((path) => !isInside(path, plugins) && folders.some((folder) => isInside(path, folder)));
  const command = hidingCommand(folders, plugins);
  const why = lost === undefined ? await failureOf(command) : `it has to read ${lost}`;
  if (why === undefined) return { through: command, user: undefined, hidden: true };
  if (!asked) return PLAIN_LAUNCH;
  throw new MeshError("CONFIG_INVALID", `${folders.join(" and ")} cannot be hidden from its process: ${why}`);
}

/** Why the system does not let it; undefined: it does. */
async function failureOf([tool = "", ...args]: readonly string[]): Promise<string | undefined> {
  if (process.platform !== "linux") return "only Linux can do that";
  try {
    await run(tool, [...args, "true"], { timeout: LIMIT });
    return undefined;
  } catch (error) {
    const last = toMeshError(error).message.trim().split("\n").at(-1) ?? "";
    return `that takes ${HIDING_TOOLS}, and a system that lets its users make namespaces (${last})`;
  }
}

async function lookUp(user: string): Promise<{ readonly uid: number; readonly gid: number }> {
  const fault = (why: string, cause?: unknown): MeshError =>
    new MeshError("CONFIG_INVALID", `its process cannot run as user "${user}": ${why}`, { cause });
  const own = process.getuid?.();
  if (own !== 0) throw fault("only a node that runs as root can start one as another");
  const idOf = async (what: string): Promise<number> => Number((await run("id", [what, "--", user], { timeout: LIMIT })).stdout);
  const found = await Promise.all([idOf("-u"), idOf("-g")]).catch((cause: unknown) => {
    throw fault("this system knows none", cause);
  });
  const [uid, gid] = found;
  if (uid === own) throw fault("that is the node's own");
  return { uid, gid };
}
