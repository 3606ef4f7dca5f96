import { type ChildProcess, spawn } from "node:child_process";
import { MeshError } from "../core/errors.ts";

/** Milliseconds that one npm command may take. */
const LIMIT = 300_000;
/** Milliseconds from SIGTERM to SIGKILL. */
const GRACE = 5_000;
/** Bytes of npm's output that are kept: the last ones. */
const KEPT = 64 * 1024;

/** Settings of an npm that started this program, which would change where or what ours installs. */
const FOREIGN =
  /^npm_config_(?:global|location|prefix|local_prefix|workspaces?|include_workspace_root|dry_run|package_lock|package_lock_only|omit|include)$/i;

export interface NpmOptions {
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Default `npm`, as found on the PATH. */
  readonly npm?: string;
  /** Milliseconds; default 5 min. */
  readonly limit?: number;
}

/** Runs the user's npm on a folder, without a shell. Rejects with PLUGIN_INSTALL_FAILED or ABORTED. */
export async function runNpm(args: readonly string[], options: NpmOptions): Promise<void> {
  const { folder, signal, npm = "npm", limit = LIMIT } = options;
  if (signal.aborted) throw aborted(signal);
  const flags = ["--prefix", folder, "--no-audit", "--no-fund", "--no-progress", "--loglevel=error", "--fetch-retries=1"];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOREIGN.test(name)));
  const child = spawn(npm, [...flags, ...args], { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"], detached: true });
  const end = startEnding(child);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end();
  }, limit);
  signal.addEventListener("abort", end, { once: true });
  try {
    const { code, errors } = await finished(child);
    if (signal.aborted) throw aborted(signal);
    if (late) throw failed(`npm did not finish within ${limit / 1000} s`, "check the network and the registry");
    if (code !== 0) throw explain(errors, code);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}

/** What ends npm and all that it started. */
function startEnding(child: ChildProcess): () => void {
  let killer: NodeJS.Timeout | undefined;
  child.once("close", () => clearTimeout(killer));
  return () => {
    signalGroup(child, "SIGTERM");
    killer ??= setTimeout(() => signalGroup(child, "SIGKILL"), GRACE);
  };
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function finished(child: ChildProcess): Promise<{ readonly code: number | null; readonly errors: string }> {
  return new Promise((resolve, fail) => {
    let errors = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-KEPT);
    });
    child.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") fail(failed("npm was not found", "install Node.js with npm, or put npm on the PATH", cause));
      else fail(failed(`npm could not be started: ${cause.message}`, "check that npm can be run", cause));
    });
    child.once("close", (code) => resolve({ code, errors }));
  });
}

/** By npm's error code: what to do. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^E404$/, "check the name; a folder or tarball begins with ./ or /"],
  [/^(?:ETARGET|ENOVERSIONS|EINVALIDTAGNAME)$/, "check the version"],
  [
    /^(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|FETCH_ERROR|EOFFLINE|ENOTCACHED)$/,
    "the registry cannot be reached: check the network, the proxy and `npm config get registry`",
  ],
  [/^(?:E401|E403|ENEEDAUTH)$/, "the registry refuses: check `npm login` and the rights to the package"],
  [/^(?:EACCES|EPERM|EROFS)$/, "check who may write the plugin folder"],
  [/^ENOSPC$/, "the disk is full"],
  [/^ERESOLVE$/, "its dependencies contradict those of another plugin"],
  [/^(?:EBADENGINE|EBADPLATFORM)$/, "it does not run on this version of Node.js or this system"],
  [/^(?:ENOENT|ENOTDIR)$/, "check the path"],
];

function explain(errors: string, exit: number | null): MeshError {
  const lines = errors
    .split("\n")
    .map((line) => /^npm (?:error|ERR[!]) ?(.*)$/.exec(line.trim())?.[1]?.trim())
    .filter((line) => line !== undefined && line !== "");
  const code = lines.map((line) => /^code (\S+)$/.exec(line ?? "")?.[1]).find((found) => found !== undefined);
  const said = lines.find((line) => line !== undefined && !/^(?:code|errno|syscall|path|dest|type|A complete log)\b/.test(line));
  const message = said === undefined ? `npm ended with exit status ${exit ?? "of a signal"}` : `npm: ${said.slice(0, 500)}`;
  const advice = ADVICE.find(([pattern]) => code !== undefined && pattern.test(code))?.[1];
  return failed(message, advice, undefined, code);
}

export function failed(message: string, advice?: string, cause?: unknown, npmCode?: string): MeshError {
  return new MeshError("PLUGIN_INSTALL_FAILED", advice === undefined ? message : `${message}; ${advice}`, {
    ...(npmCode !== undefined && { data: { npmCode } }),
    ...(cause !== undefined && { cause }),
  });
}

function aborted(signal: AbortSignal): MeshError {
  return new MeshError("ABORTED", "the call was ended while npm ran", { cause: signal.reason });
}
