import { join } from "node:path";
import { toMeshError } from "../core/errors.ts";
import { LOAD_LIMIT } from "./import.ts";
import { prepare } from "./load.ts";
import { dependencyNames, invalid, readManifest, readPluginPackage } from "./package.ts";

/** A package in a plugin folder. */
export interface InstalledPlugin {
  /** The plugin's name; the package's where it cannot be loaded. */
  readonly name: string;
  readonly package: string;
  readonly version: string;
  readonly actions?: readonly string[];
  /** Why it cannot be loaded. */
  readonly error?: string;
}

/** What is installed in a plugin folder, by package name. It loads each, to ask for its name and actions, and starts none. */
export async function listInstalled(pluginDir: string): Promise<readonly InstalledPlugin[]> {
  return await Promise.all((await installedPackages(pluginDir)).map((name) => describe(pluginDir, name)));
}

/** The names of the packages that a plugin folder was told to have. */
export async function installedPackages(pluginDir: string): Promise<string[]> {
  return dependencyNames((await readManifest(pluginDir))?.dependencies);
}

async function describe(pluginDir: string, name: string): Promise<InstalledPlugin> {
  try {
    return await inspect(pluginDir, name);
  } catch (error) {
    const manifest = await readManifest(packageFolder(pluginDir, name)).catch(() => undefined);
    const version = typeof manifest?.version === "string" ? manifest.version : "unknown";
    return { name, package: name, version, error: toMeshError(error).message };
  }
}

/** Loads one package of a plugin folder. Rejects with PLUGIN_INVALID where it is no plugin that this version can run. */
export async function inspect(pluginDir: string, name: string, limit = LOAD_LIMIT): Promise<InstalledPlugin> {
  const found = { ...(await readPluginPackage(packageFolder(pluginDir, name))), origin: "folder" as const, label: name };
  const { definition } = await (await prepare(found, join(pluginDir, ".loaded"), limit)).load();
  if (found.says !== undefined && found.says !== definition.name) {
    throw invalid(name, `its package.json says that its plugin is "${found.says}", and it is "${definition.name}"`);
  }
  return { name: definition.name, package: name, version: found.version, actions: Object.keys(definition.actions) };
}

function packageFolder(pluginDir: string, name: string): string {
  return join(pluginDir, "node_modules", name);
}
