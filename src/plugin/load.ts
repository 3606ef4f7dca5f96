import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { PluginDefinition } from "./definition.ts";
import type { Found } from "./discovery.ts";
import { importPlugin, LOAD_LIMIT } from "./import.ts";
import type { IsolatedOptions, IsolatedPlugin } from "./isolated/isolated-plugin.ts";
import { closureOf, copyClosure } from "./snapshot.ts";

/** A plugin package whose state on the disk is known. */
export interface Prepared {
  readonly found: Found;
  /** Changes when one of its files does. */
  readonly fingerprint: string;
  /** Runs the module, and checks what it exports. `fresh`: as if it had never been loaded before. Rejects with PLUGIN_INVALID. */
  load(fresh?: boolean): Promise<Module>;
  /** Has a process of its own do the same. */
  isolate(how: Apart): Promise<Module>;
}

/** How a plugin that runs in a process of its own is run. */
export type Apart = Pick<IsolatedOptions, "isolation" | "secrets" | "node" | "log">;

export interface Module {
  readonly definition: PluginDefinition;
  /** The folder in `copies` that its code is in; undefined where that is the package's own. */
  readonly copy: string | undefined;
  /** Where it runs apart from this process. */
  readonly apart?: IsolatedPlugin;
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
    const isolate = async (how: Apart): Promise<Module> => await loadApart(entry, found.package, limit, how, undefined);
    return { found, fingerprint, load, isolate };
  }
  const closure = await closureOf(folder);
  const { fingerprint } = closure;
  const name = `${found.package}@${found.version}-${fingerprint}`;
  const placeIn = (copy: string | undefined): string => (copy === undefined ? entry : join(copy, relative(folder, entry)));
  const load = async (fresh = false): Promise<Module> => {
    const copied = fresh || found.origin === "folder" || isOther(entry, fingerprint);
    const suffix = fresh ? `-${randomBytes(4).toString("hex")}` : "";
    const copy = copied ? await copyClosure(closure, copies, name + suffix) : undefined;
    return { definition: await importPlugin(pathToFileURL(placeIn(copy)).href, found.package, limit), copy };
  };
  // Each process has loaded nothing before; a copy is still what npm does not change under a process that is started again.
  const isolate = async (how: Apart): Promise<Module> => {
    const copy = found.origin === "folder" ? await copyClosure(closure, copies, name) : undefined;
    return await loadApart(placeIn(copy), found.package, limit, how, copy);
  };
  return { found, fingerprint, load, isolate };
}

async function loadApart(path: string, label: string, limit: number, how: Apart, copy: string | undefined): Promise<Module> {
  const { IsolatedPlugin } = await import("./isolated/isolated-plugin.ts");
  const apart = await IsolatedPlugin.load({ ...how, url: pathToFileURL(path).href, label, limit });
  return { definition: apart.definition, copy, apart };
}

/** Whether this process has loaded the file in its own place in another state; if it has not at all, it is about to. */
function isOther(entry: string, fingerprint: string): boolean {
  const before = inPlace.get(entry);
  if (before === undefined) inPlace.set(entry, fingerprint);
  return before !== undefined && before !== fingerprint;
}
