import { lstat, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Millis } from "../core/instant.ts";
import { MeshError } from "../core/errors.ts";

const OWN = /^(CURRENT|LOCK|LOG|LOG\.old|lost|PROBE|MARK|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp))$/;
const TABLES = /^(MANIFEST-\d+|\d+\.(log|ldb|sst))$/;

/** Whether `dir` holds anything that a repair could bring back; a file in its place, or a folder of something else, does not. */
export async function looksLikeStore(dir: string): Promise<boolean> {
  const names = await readdir(dir).catch((): string[] => []);
  const known = names.filter((name) => OWN.test(name));
  if (!known.some((name) => TABLES.test(name))) return false;
  if (known.length === names.length) return true;
  // Between strangers a log by number may be anybody's: CURRENT must name a manifest.
  const current = await readFile(join(dir, "CURRENT"), "latin1").catch(() => "");
  return /^MANIFEST-\d+\n?$/.test(current);
}

/**
 * Renames `dir` to `<dir>.damaged-<time>` and returns the new path; undefined where there is nothing to rename. `now` is wall time in
 * milliseconds since 1970. Throws STORE_CORRUPT where it cannot be renamed.
 */
export async function setAside(dir: string, now: Millis): Promise<string | undefined> {
  if (!(await exists(dir))) return undefined;
  const stamp = new Date(now).toISOString().replaceAll(/[:.]/g, "-");
  for (let count = 0; ; count++) {
    const target = `${dir}.damaged-${stamp}${count === 0 ? "" : `-${count}`}`;
    if (await exists(target)) continue;
    try {
      await rename(dir, target);
      return target;
    } catch (cause) {
      throw new MeshError("STORE_CORRUPT", `the damaged store in ${dir} cannot be renamed: move it away by hand`, { data: { dir }, cause });
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
