import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { MeshError, toMeshError } from "../core/errors.ts";
import { nearestNames } from "../work/directive.ts";
import { withFolderLock } from "./folder-lock.ts";
import { type InstalledPlugin, inspect, installedPackages, listInstalled } from "./installed.ts";
import { failed, type NpmOptions, runNpm } from "./npm.ts";
import { invalid, isMissing, isPackageName, isRecord, readManifest } from "./package.ts";

export interface InstallOptions {
  /** Ends npm; the folder is put back as it was. */
  readonly signal?: AbortSignal;
  /** Let packages run their install scripts, with the rights of this user. Default false. */
  readonly allowScripts?: boolean;
  /** What relative paths start from; default: the working directory. */
  readonly cwd?: string;
  /** The npm to run; default: the one on the PATH. */
  readonly npm?: string;
  /** Milliseconds for each npm command; default 5 min. */
  readonly limit?: number;
}

// Peers are left out: the only one that plugins have by rule is receptor-mesh itself, which the node gives them.
const FLAGS = ["--save-exact", "--install-links", "--legacy-peer-deps"];

/**
 * Installs a plugin with npm: a name, `name@version`, a tarball, a folder (packed, not linked), a URL. Callers for one
 * folder take turns. Rejects with PLUGIN_INSTALL_FAILED where npm fails; with PLUGIN_INVALID where it is no plugin, and then
 * the folder is as it was before; with ABORTED.
 */
export async function installPlugin(pluginDir: string, spec: string, options: InstallOptions = {}): Promise<InstalledPlugin> {
  const folder = resolve(pluginDir);
  const target = await resolveSpec(spec, options.cwd ?? process.cwd());
  const npm = npmOptions(folder, options);
  return await withFolderLock(folder, npm.signal, async () => {
    await ensureManifest(folder);
    const before = await remember(folder);
    try {
      const scripts = `--ignore-scripts=${options.allowScripts !== true}`;
      await runNpm(["install", ...FLAGS, scripts, "--", target], npm);
      const name = await newcomer(folder, before.dependencies, target);
      const plugin = await inspect(folder, name);
      await checkName(folder, plugin);
      return plugin;
    } catch (error) {
      throw await putBack(folder, before, toMeshError(error), npm);
    }
  });
}

/** Removes a plugin by its own name or its package's. Rejects with PLUGIN_INSTALL_FAILED where there is none, or npm fails; with ABORTED. */
export async function removePlugin(pluginDir: string, name: string, options: InstallOptions = {}): Promise<{ readonly package: string }> {
  const folder = resolve(pluginDir);
  const npm = npmOptions(folder, options);
  return await withFolderLock(folder, npm.signal, async () => {
    const pack = await packageOf(folder, name);
    await runNpm(["uninstall", "--ignore-scripts", "--legacy-peer-deps", "--", pack], npm);
    return { package: pack };
  });
}

async function packageOf(folder: string, name: string): Promise<string> {
  if ((await installedPackages(folder)).includes(name)) return name;
  const installed = await listInstalled(folder);
  const found = installed.find((plugin) => plugin.name === name);
  if (found !== undefined) return found.package;
  const known = nearestNames(
    name,
    installed.map((plugin) => plugin.name),
  );
  throw failed(`no plugin "${name}" is installed in ${folder}; there is ${known}`);
}

function npmOptions(folder: string, { signal, npm, limit }: InstallOptions): NpmOptions {
  return {
    folder,
    signal: signal ?? new AbortController().signal,
    ...(npm !== undefined && { npm }),
    ...(limit !== undefined && { limit }),
  };
}

/** What npm is told: paths are made absolute, since npm runs in the plugin folder. */
async function resolveSpec(spec: string, cwd: string): Promise<string> {
  if (spec === "" || spec.startsWith("-") || /[\0\n\r]/.test(spec))
    throw new MeshError("INVALID_ARGUMENT", `${JSON.stringify(spec)} is no package to install`);
  const bare = spec.startsWith("file:") ? spec.slice("file:".length) : spec;
  const home = bare.startsWith("~/") ? join(homedir(), bare.slice(2)) : bare;
  const path = resolve(cwd, home);
  const mustBePath = bare !== spec || home !== bare || isAbsolute(bare) || /^\.{1,2}(?:[/\\]|$)/.test(bare);
  const there = await exists(path);
  if (mustBePath && !there) throw failed(`there is nothing at ${path}`, "check the path");
  // `plugins/echo` would be a repository on GitHub to npm; what lies here by that name is meant.
  const mayBePath = !isPackageName(bare) || bare.endsWith(".tgz");
  return there && (mustBePath || mayBePath) ? path : spec;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function ensureManifest(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const manifest = { name: "receptor-plugins", private: true, description: "The plugins of a receptor node; see `receptor plugin`." };
  try {
    await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`, { flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

/** What npm decides by, as it was before. */
interface Memory {
  readonly dependencies: Readonly<Record<string, unknown>>;
  readonly files: ReadonlyMap<string, Uint8Array | undefined>;
}

async function remember(folder: string): Promise<Memory> {
  const files = new Map<string, Uint8Array | undefined>();
  for (const name of ["package.json", "package-lock.json"]) {
    const path = join(folder, name);
    files.set(path, (await exists(path)) ? await readFile(path) : undefined);
  }
  return { dependencies: await dependenciesIn(folder), files };
}

async function dependenciesIn(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const dependencies = (await readManifest(folder))?.dependencies;
  return isRecord(dependencies) ? dependencies : {};
}

/** The name of the package that was just installed. */
async function newcomer(folder: string, before: Readonly<Record<string, unknown>>, target: string): Promise<string> {
  const after = await dependenciesIn(folder);
  const names = Object.keys(after);
  const changed = names.filter((name) => after[name] !== before[name]);
  const [only, ...more] = changed;
  if (only !== undefined && more.length === 0) return only;
  // The same version or file once more leaves package.json as it is.
  const named = names.find((name) => target === name || target.startsWith(`${name}@`));
  const path = isAbsolute(target) ? names.find((name) => resolve(folder, String(after[name]).replace(/^file:/, "")) === target) : undefined;
  const found = named ?? path ?? only;
  if (found === undefined) throw invalid(target, "npm did not say which package it installed");
  return found;
}

/** Throws PLUGIN_INVALID where another package here has a plugin of this name. */
async function checkName(folder: string, plugin: InstalledPlugin): Promise<void> {
  const other = (await listInstalled(folder)).find(
    (one) => one.name === plugin.name && one.package !== plugin.package && one.error === undefined,
  );
  if (other === undefined) return;
  throw invalid(
    plugin.package,
    `the plugin name "${plugin.name}" is taken by ${other.package} ${other.version}; remove that first: receptor plugin remove ${other.package}`,
  );
}

/** Undoes an installation, and resolves to the error to tell: the first one, and what became of undoing if that failed too. */
async function putBack(folder: string, before: Memory, error: MeshError, npm: NpmOptions): Promise<MeshError> {
  try {
    let changed = false;
    for (const [path, content] of before.files) {
      const now = (await exists(path)) ? await readFile(path) : undefined;
      if (content === undefined ? now === undefined : now !== undefined && Buffer.compare(content, now) === 0) continue;
      changed = true;
      if (content === undefined) await rm(path, { force: true });
      else await writeFile(path, content);
    }
    // Also where the caller has ended the call: it must not leave half a package behind.
    if (changed) await runNpm(["install", ...FLAGS, "--ignore-scripts"], { ...npm, signal: new AbortController().signal });
    return error;
  } catch (second) {
    const why = toMeshError(second).message;
    return new MeshError(error.code, `${error.message}; it could not be taken back (${why}): remove it with npm in ${folder}`, {
      data: error.data,
      cause: error,
    });
  }
}
