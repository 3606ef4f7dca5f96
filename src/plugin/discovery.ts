import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { type MeshError, toMeshError } from "../core/errors.ts";
import {
  dependencyNames,
  findPackage,
  invalid,
  isMissing,
  KEYWORD,
  type Manifest,
  type PluginPackage,
  readManifest,
  readPluginPackage,
} from "./package.ts";

/** Where a plugin was found. Explicit ones win over the plugin folder, that over dependencies. */
export type Origin = "spec" | "folder" | "dependency";

export interface Found extends PluginPackage {
  readonly origin: Origin;
  /** What it is known by even where it cannot be read: its name, or the SPEC as given. */
  readonly label: string;
}

/** A plugin that is left out, and why. */
export interface PluginProblem {
  /** Its package; for an explicit SPEC, the SPEC as given. */
  readonly package: string;
  /** PLUGIN_INVALID. */
  readonly error: MeshError;
}

export interface DiscoveryOptions {
  /** Where `receptor plugin add` installs. It need not exist. */
  readonly pluginDir: string;
  /** The folder that the node is started in; its dependencies are looked at. Undefined: they are not. */
  readonly cwd?: string;
  /** Package names, names that packages in the plugin folder give their plugins, package folders, or files that end in .js or .mjs; paths are relative to `cwd`. */
  readonly specs?: readonly string[];
}

export interface Discovery {
  /** In the order in which they have a claim to their names; each once. */
  readonly found: readonly Found[];
  readonly problems: readonly PluginProblem[];
}

/** Finds plugins without running any of their code. What is wrong with one is a problem, and keeps none of the others back. */
export async function discoverPlugins(options: DiscoveryOptions): Promise<Discovery> {
  const found = new Map<string, Found>();
  const problems: PluginProblem[] = [];
  const consider = async (origin: Origin, label: string, look: () => Promise<PluginPackage>): Promise<void> => {
    try {
      const pack = await look();
      if (!found.has(pack.entry)) found.set(pack.entry, { ...pack, origin, label });
    } catch (error) {
      problems.push({ package: label, error: toMeshError(error, "PLUGIN_INVALID") });
    }
  };
  for (const spec of options.specs ?? []) await consider("spec", spec, () => lookUp(spec, options));
  for (const name of await dependenciesOf(options.pluginDir, problems)) {
    await consider("folder", name, () => readPluginPackage(join(options.pluginDir, "node_modules", name)));
  }
  if (options.cwd !== undefined) {
    for (const [name, folder] of await pluginDependencies(options.cwd, problems)) {
      await consider("dependency", name, () => readPluginPackage(folder));
    }
  }
  return { found: [...found.values()], problems };
}

/** The packages that a plugin folder was told to have. */
async function dependenciesOf(folder: string, problems: PluginProblem[]): Promise<string[]> {
  const manifest = await tryManifest(folder, problems);
  return manifest === undefined ? [] : dependencyNames(manifest.dependencies);
}

/** Those of a package's dependencies and workspaces that carry the keyword, by name. */
async function pluginDependencies(cwd: string, problems: PluginProblem[]): Promise<[string, string][]> {
  const manifest = await tryManifest(cwd, problems);
  if (manifest === undefined) return [];
  const names = new Set(dependencyNames(manifest.dependencies));
  if (manifest.workspaces !== undefined) for (const name of await linkedWorkspaces(cwd)) names.add(name);
  const plugins: [string, string][] = [];
  for (const name of [...names].sort()) {
    const folder = await findPackage(name, cwd);
    if (folder === undefined) continue;
    const own = await tryManifest(folder, problems);
    if (Array.isArray(own?.keywords) && own.keywords.includes(KEYWORD)) plugins.push([name, folder]);
  }
  return plugins;
}

async function tryManifest(folder: string, problems: PluginProblem[]): Promise<Manifest | undefined> {
  try {
    return await readManifest(folder);
  } catch (error) {
    problems.push({ package: folder, error: toMeshError(error, "PLUGIN_INVALID") });
    return undefined;
  }
}

/** npm links the packages of a workspace into node_modules. */
async function linkedWorkspaces(cwd: string): Promise<string[]> {
  const root = await realpath(cwd);
  const modules = join(root, "node_modules");
  const names: string[] = [];
  for (const entry of await list(modules)) {
    if (entry.startsWith("@")) for (const inner of await list(join(modules, entry))) names.push(`${entry}/${inner}`);
    else if (!entry.startsWith(".")) names.push(entry);
  }
  const linked: string[] = [];
  for (const name of names) {
    const path = join(modules, name);
    if (!(await lstat(path)).isSymbolicLink()) continue;
    const target = relative(root, await realpath(path).catch(() => "/"));
    if (target !== "" && !target.startsWith("..") && !isAbsolute(target)) linked.push(name);
  }
  return linked;
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** What `--plugin SPEC` means. */
async function lookUp(spec: string, { cwd = process.cwd(), pluginDir }: DiscoveryOptions): Promise<PluginPackage> {
  const path = resolve(cwd, spec);
  const looksLikePath = /^\.{0,2}[/\\]|^\.{1,2}$/.test(spec) || isAbsolute(spec) || /\.m?js$/.test(spec);
  if (looksLikePath) {
    let facts: Awaited<ReturnType<typeof stat>>;
    try {
      facts = await stat(path);
    } catch (error) {
      throw invalid(spec, `there is nothing at ${path}`, error);
    }
    if (facts.isDirectory()) return await readPluginPackage(path);
    return { package: spec, version: "0.0.0", folder: undefined, entry: await realpath(path), says: undefined };
  }
  const folder = (await findPackage(spec, cwd)) ?? (await findPackage(spec, pluginDir));
  if (folder !== undefined) return await readPluginPackage(folder);
  const installed = await readable(pluginDir);
  const named = installed.find(({ says }) => says === spec);
  if (named !== undefined) return named;
  const known = installed.length === 0 ? "none is installed" : `installed are ${installed.map((pack) => pack.package).join(", ")}`;
  throw invalid(spec, `there is no such package, and ${known}; \`receptor plugin add\` installs one, a path begins with ./ or /`);
}

/** The packages of a plugin folder; those that cannot be read are told of elsewhere. */
async function readable(pluginDir: string): Promise<PluginPackage[]> {
  const packs: PluginPackage[] = [];
  for (const name of await dependenciesOf(pluginDir, [])) {
    const pack = await readPluginPackage(join(pluginDir, "node_modules", name)).catch(() => undefined);
    if (pack !== undefined) packs.push(pack);
  }
  return packs;
}
