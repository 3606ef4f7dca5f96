import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { MeshError } from "../core/errors.ts";
import { isPluginName } from "../work/directive.ts";
import { PLUGIN_API } from "./definition.ts";

/** The keyword of packages that are plugins. */
export const KEYWORD = "receptor-plugin";

const MANIFEST_LIMIT = 1024 * 1024;

/** What a package.json says, as far as it concerns plugins; nothing in it has been checked. */
export interface Manifest {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly keywords?: unknown;
  readonly receptor?: unknown;
  readonly workspaces?: unknown;
  readonly dependencies?: unknown;
  readonly optionalDependencies?: unknown;
  readonly peerDependencies?: unknown;
}

/** A package that says that it is a plugin for this version of the interface. None of its code has been run. */
export interface PluginPackage {
  /** The package's name; for a single file, its path. */
  readonly package: string;
  readonly version: string;
  /** Absolute, without symbolic links; undefined for a single file. */
  readonly folder: string | undefined;
  /** The file that exports the plugin, absolute. */
  readonly entry: string;
  /** The plugin's own name, where package.json says `"receptor": { "name": ... }`. */
  readonly says: string | undefined;
}

/** PLUGIN_INVALID about a package. */
export function invalid(name: string, why: string, cause?: unknown): MeshError {
  return new MeshError("PLUGIN_INVALID", `${name}: ${why}`, { data: { package: name }, ...(cause !== undefined && { cause }) });
}

/** The package.json of a folder; undefined where it has none. Rejects with PLUGIN_INVALID where it cannot be read. */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const path = join(folder, "package.json");
  let text: string;
  try {
    if ((await stat(path)).size > MANIFEST_LIMIT) throw invalid(folder, "its package.json is larger than 1 MiB");
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch (error) {
    throw invalid(folder, "its package.json is no JSON", error);
  }
  throw invalid(folder, "its package.json is no object");
}

/** Checks what a package says of itself. Rejects with PLUGIN_INVALID: no plugin, another interface, no such file. */
export async function readPluginPackage(given: string): Promise<PluginPackage> {
  const manifest = await readManifest(given);
  if (manifest === undefined) throw invalid(given, "there is no package.json");
  const name = nameOf(manifest) ?? given;
  const { receptor } = manifest;
  if (!isRecord(receptor))
    throw invalid(name, 'it is no plugin: its package.json has no "receptor": { "plugin": "./dist/index.js", "api": "^1" }');
  await checkApi(name, receptor["api"]);
  const { plugin, name: says } = receptor;
  if (says !== undefined && !isPluginName(says)) throw invalid(name, '"receptor.name" in its package.json is no plugin name');
  if (typeof plugin !== "string")
    throw invalid(name, 'its package.json does not name the file: "receptor": { "plugin": "./dist/index.js" }');
  const folder = await realpath(given);
  const entry = resolve(folder, plugin);
  if (relative(folder, entry).startsWith("..")) throw invalid(name, `"receptor.plugin" leads out of the package: ${plugin}`);
  if (!(await isFile(entry))) throw invalid(name, `it has no file ${plugin}; if it is compiled, build it first`);
  return { package: name, version: typeof manifest.version === "string" ? manifest.version : "0.0.0", folder, entry, says };
}

async function checkApi(name: string, api: unknown): Promise<void> {
  // A node without plugins does without it.
  const { satisfies, validRange } = await import("semver");
  if (typeof api !== "string" || validRange(api) === null) {
    throw invalid(name, 'its package.json does not say which version of the plugin interface it is for: "receptor": { "api": "^1" }');
  }
  if (!satisfies(PLUGIN_API, api)) throw invalid(name, `it is for version ${api} of the plugin interface; this node has ${PLUGIN_API}`);
}

/** The folder of a package as Node would find it from `from`; undefined where there is none. */
export async function findPackage(name: string, from: string): Promise<string | undefined> {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (await isFile(join(candidate, "package.json"))) return candidate;
    if (dirname(folder) === folder) return undefined;
  }
}

export function nameOf(manifest: Manifest): string | undefined {
  return typeof manifest.name === "string" && isPackageName(manifest.name) ? manifest.name : undefined;
}

/** Whether npm would take it, and it leads nowhere but into a folder of node_modules. */
export function isPackageName(name: string): boolean {
  return name.length <= 214 && /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-zA-Z0-9~-][a-zA-Z0-9._~-]*$/.test(name);
}

/** The names in one of the dependency maps of a package.json, in alphabetical order. */
export function dependencyNames(map: unknown): string[] {
  return isRecord(map) ? Object.keys(map).filter(isPackageName).sort() : [];
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
