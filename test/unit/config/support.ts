import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type ConfigSources, loadConfig, type ResolvedConfig } from "../../../src/config/load.ts";
import { isMeshError, MeshError } from "../../../src/core/errors.ts";

/** Stands in for the parser of the transports room. */
export function checkUrl(url: string): void {
  if (!/^(?:[a-z]+:\/\/)?[^\s:/]+(?::\d+)?(?:\?cost=\d+)?$/.test(url) || url.startsWith("zip:"))
    throw new MeshError("INVALID_ARGUMENT", `"${url}" is no address`);
}

export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "receptor-config-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Loads `text` as the file of a folder of its own. */
export async function load(text: string | undefined, sources: Partial<ConfigSources> = {}): Promise<ResolvedConfig> {
  const cwd = sources.cwd ?? (await folder());
  if (text !== undefined) await writeFile(join(cwd, "receptor.config.yaml"), text);
  return await loadConfig({ env: {}, cwd, checkUrl, ...sources });
}

/** The lines of the error that loading ends with. */
export async function mistakes(text: string | undefined, sources: Partial<ConfigSources> = {}): Promise<string[]> {
  try {
    await load(text, sources);
  } catch (error) {
    if (!isMeshError(error)) throw error;
    return [error.code, ...error.message.split("\n")];
  }
  return [];
}
