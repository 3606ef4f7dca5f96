// Adds to package-lock.json the optional packages of other platforms that a registry did not give: npm leaves them out, and
// then `npm ci` refuses the lockfile. To be run after `npm install PACKAGE` where the house check asks for it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { missingOptionals } from "./support/lockfile.mjs";
import { root } from "./support/process.mjs";

const path = join(root, "package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8"));
const missing = missingOptionals(lock);
for (const { place, entry } of missing) lock.packages[place] = entry;
if (missing.length > 0) {
  lock.packages = Object.fromEntries(
    Object.entries(lock.packages).toSorted(([a], [b]) => (a === "" ? -1 : b === "" ? 1 : a.localeCompare(b, "en"))),
  );
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(
  missing.length === 0
    ? "package-lock.json is complete."
    : `Added ${missing.map(({ place }) => place.replace("node_modules/", "")).join(", ")}.`,
);
