import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { MeshError, toMeshError } from "../core/errors.ts";
import { checkDefinition } from "./check.ts";
import type { PluginDefinition } from "./definition.ts";
import type { Found } from "./discovery.ts";
import { invalid } from "./package.ts";
import { closureOf, copyClosure } from "./snapshot.ts";

/** Milliseconds that a plugin's module, or its start() or stop(), may take. */
export const LOAD_LIMIT = 10_000;

/** A plugin package whose state on the disk is known. */
export interface Prepared {
  readonly found: Found;
  /** Changes when one of its files does. */
  readonly fingerprint: string;
  /** Runs the module, and checks what it exports. `fresh`: as if it had never been loaded before. Rejects with PLUGIN_INVALID. */
  load(fresh?: boolean): Promise<Module>;
}

export interface Module {
  readonly definition: PluginDefinition;
  /** The folder in `copies` that its code is in; undefined where that is the package's own. */
  readonly copy: string | undefined;
}

/** Which state of a file this process has loaded in its own place: what Node's module cache holds, and never lets go of. */
const inPlace = new Map<string, string>();

/**
 * Looks at a package on the disk without running it. Packages of the plugin folder, which npm changes under a running node, are
 * loaded from a copy in `copies`; others from their own place, and from a copy once they have changed. A single file has no
 * copy: changes in what it imports are seen only after a restart.
 */
export async function prepare(found: Found, copies: string, limit = LOAD_LIMIT): Promise<Prepared> {
  const { folder, entry } = found;
  if (folder === undefined) {
    const { size, mtimeMs } = await stat(entry);
    const fingerprint = `${size}-${mtimeMs}`;
    const load = async (fresh = false): Promise<Module> => {
      const url = pathToFileURL(entry);
      if (fresh) url.searchParams.set("fresh", randomBytes(4).toString("hex"));
      else if (isOther(entry, fingerprint)) url.searchParams.set("v", fingerprint);
      return { definition: await importPlugin(url.href, found.package, limit), copy: undefined };
    };
    return { found, fingerprint, load };
  }
  const closure = await closureOf(folder);
  const { fingerprint } = closure;
  const load = async (fresh = false): Promise<Module> => {
    const copied = fresh || found.origin === "folder" || isOther(entry, fingerprint);
    const name = `${found.package}@${found.version}-${fingerprint}${fresh ? `-${randomBytes(4).toString("hex")}` : ""}`;
    const copy = copied ? await copyClosure(closure, copies, name) : undefined;
    const path = copy === undefined ? entry : join(copy, relative(folder, entry));
    return { definition: await importPlugin(pathToFileURL(path).href, found.package, limit), copy };
  };
  return { found, fingerprint, load };
}

/** Whether this process has loaded the file in its own place in another state; if it has not at all, it is about to. */
function isOther(entry: string, fingerprint: string): boolean {
  const before = inPlace.get(entry);
  if (before === undefined) inPlace.set(entry, fingerprint);
  return before !== undefined && before !== fingerprint;
}

async function importPlugin(url: string, label: string, limit: number): Promise<PluginDefinition> {
  let module: unknown;
  try {
    module = await within(limit, import(url) as Promise<unknown>);
  } catch (error) {
    const why = error === LATE ? `loading it took longer than ${limit} ms` : `loading it failed: ${toMeshError(error).message}`;
    throw invalid(label, why, error);
  }
  return checkDefinition(defaultOf(module), label);
}

/** The default export; of a compiled CommonJS module, the one inside. */
function defaultOf(module: unknown): unknown {
  if (typeof module !== "object" || module === null || !("default" in module)) return undefined;
  const outer = module.default;
  const compiled = typeof outer === "object" && outer !== null && "__esModule" in outer && "default" in outer;
  return compiled ? outer.default : outer;
}

/** What `within` rejects with. */
export const LATE: MeshError = new MeshError("TIMEOUT", "it took too long");

/** The promise, or LATE after `milliseconds`. */
export async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(LATE), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
