import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "./process.mjs";

/**
 * Every file below a folder of the repository, sorted.
 * @param {string} folder relative to the root
 * @returns {string[]} relative to the root
 */
export function filesBelow(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .toSorted();
}

/** The first-party plugins' folders. */
export function pluginFolders() {
  return readdirSync(join(root, "plugins"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, "plugins", entry.name, "package.json")))
    .map((entry) => `plugins/${entry.name}`)
    .toSorted();
}

/**
 * A hash over names and contents. Contents, not times: a checkout touches every file.
 * @param {readonly string[]} paths relative to the root
 * @param {string} [more] what else counts
 */
export function fingerprint(paths, more = "") {
  const hash = createHash("sha256").update(more);
  for (const path of paths) hash.update(`\0${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest("hex");
}
