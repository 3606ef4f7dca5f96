import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fingerprint, pluginFolders } from "./fingerprint.mjs";
import { npm, root, run } from "./process.mjs";

const STAMP = join(root, ".stamp/install");
/** npm's own note of what it has put into node_modules; it is written last. */
const INSTALLED = join(root, "node_modules/.package-lock.json");
const LIMIT = 15 * 60_000;

function wanted() {
  const files = ["package-lock.json", "package.json", ...pluginFolders().map((folder) => `${folder}/package.json`)];
  return fingerprint(files, `${process.version.split(".")[0]} ${process.platform} ${process.arch}`);
}

/** Whether node_modules is what the lockfile says. */
export function isInstalled() {
  if (!existsSync(INSTALLED)) return false;
  return existsSync(STAMP) && readFileSync(STAMP, "utf8") === wanted();
}

/** The same, by comparing with what npm noted: after `npm install PACKAGE` there is nothing to install again. */
function matchesLockfile() {
  if (!existsSync(INSTALLED)) return false;
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const here = JSON.parse(readFileSync(INSTALLED, "utf8")).packages;
  return Object.entries(lock).every(([path, entry]) => {
    if (!path.includes("node_modules/")) return true;
    const found = here[path];
    if (found === undefined) return entry.optional === true;
    return found.version === entry.version && found.integrity === entry.integrity && existsSync(join(root, path));
  });
}

function stamp() {
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, wanted());
}

/**
 * Makes node_modules what the lockfile says.
 * @returns {Promise<number>} npm's exit code, 0 where nothing was to do
 */
export async function install() {
  if (isInstalled()) return 0;
  if (matchesLockfile()) {
    stamp();
    return 0;
  }
  console.error("Installing dependencies from package-lock.json (npm ci) ...");
  const started = Date.now();
  // Install scripts are not needed: every native package brings its binary.
  const command = [...npm(), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--include=dev", "--loglevel=error"];
  const { code, output } = await run(command, { timeout: LIMIT });
  if (code !== 0) {
    console.error(`${output}npm ci failed with exit code ${code}. Is the registry in reach, and does package-lock.json fit package.json?`);
    return code;
  }
  stamp();
  console.error(`Installed in ${((Date.now() - started) / 1000).toFixed(1)} s.`);
  return 0;
}
