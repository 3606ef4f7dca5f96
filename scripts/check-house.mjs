// House rules that no other tool checks. `node scripts/check-house.mjs [FOLDER]` prints one line for each breach.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { missingOptionals } from "./support/lockfile.mjs";

const root = resolve(process.argv[2] ?? join(import.meta.dirname, ".."));
const ROOMS = "core|wire|link|routing|delivery|sealing|work|transports|storage|plugin|config|telemetry|identity|node|cli";
const MAX_LINES = 500;

const product = /^(src|plugins\/[^/]+\/src)\/.*\.ts$/;
const typed = /^(src|plugins|test)\/.*\.ts$/;
const tests = /^(test|plugins\/[^/]+\/test)\/.*\.ts$/;

/** Forbidden text: where, what, and what to do instead. */
const forbidden = [
  { where: typed, what: /(?:[:<]|\bas)\s*any\b(?=\s*[;,)>\]|=&[]|$)/, why: "no `any`: use unknown and narrow it" },
  { where: typed, what: /@ts-(ignore|nocheck|expect-error)/, why: "the type checker stays on" },
  { where: typed, what: /(oxlint|eslint|biome)-(disable|ignore)/, why: "the linter stays on" },
  { where: product, what: /\bas unknown as\b/, why: "no double assertion: narrow the value" },
  { where: product, what: /[\w)\]]!(?:[.;,)[\]]|$)/, why: "no non-null assertion: handle undefined" },
  { where: product, what: /catch\s*(?:\([^)]*\)\s*)?\{\s*\}/, why: "no swallowed error" },
  { where: /^src\/.*\.ts$/, what: /throw new (Type|Range|Syntax)?Error\(/, why: "throw a MeshError, which has a code" },
  {
    where: /^test\/(unit|sim)\//,
    what: /\b(setTimeout|setInterval|sleep|delay)\(/,
    why: "no sleeps in unit and simulation tests: virtual time",
  },
  { where: tests, what: /\b(describe|it|test)(\.\w+)*\.only\(/, why: "a single test hides all others" },
  { where: tests, what: /\b(describe|it|test)\b.*\bretry:\s*[1-9]/, why: "no retries" },
  { where: /./, what: /registry\.(npmjs|yarnpkg|npmmirror)\b/, why: "no registry host in the repository" },
  { where: /^package-lock\.json$/, what: /"resolved": "http/, why: "no registry address in the lockfile" },
];

/** Files of the repository: what git tracks or would track; without git, everything but what is generated. */
function listFiles() {
  try {
    const output = execFileSync("git", ["-C", root, "ls-files", "-co", "--exclude-standard", "-z"], {
      encoding: "utf8",
      stdio: "pipe",
      maxBuffer: 64 * 1024 * 1024,
    });
    return output.split("\0").filter((path) => path !== "");
  } catch {
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .filter((path) => !/(^|\/)(node_modules|dist|\.git|\.stamp)\//.test(path));
  }
}

function read(path) {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch (error) {
    // Removed from the working tree, and not yet from the index; or a link to nowhere.
    if (error.code === "ENOENT" || error.code === "EISDIR") return undefined;
    throw error;
  }
}

function* inspect(path, text) {
  const lines = text.split("\n");
  if (product.test(path) && lines.length - 1 > MAX_LINES)
    yield `${path}: ${lines.length - 1} lines, more than ${MAX_LINES}: split it by subject`;
  if (path.startsWith("src/") && !new RegExp(`^src/((${ROOMS})/|(index|plugin|testing)\\.ts$)`).test(path)) {
    yield `${path}: in no room of the house, and no door`;
  }
  if (path === "package-lock.json" && missingOptionals(JSON.parse(text)).length > 0) {
    yield `${path}: it lacks other platforms' optional packages, so npm ci refuses it: run node scripts/complete-lockfile.mjs`;
  }
  const rules = forbidden.filter((rule) => rule.where.test(path));
  for (const [at, line] of lines.entries()) {
    for (const { what, why } of rules) {
      const code = path.endsWith(".ts") ? line.replace(/(^|\s)\/\/ .*$/, "").replace(/^\s*\/?\*.*$/, "") : line;
      if (what.test(what.source.includes("@ts-") || what.source.includes("oxlint") ? line : code)) yield `${path}:${at + 1}: ${why}`;
    }
    if (machine?.test(line)) yield `${path}:${at + 1}: a path of this machine`;
  }
}

// A checkout in the root folder or right below it would forbid too much.
const parent = `${dirname(root)}/`;
const common = ["/", "/tmp/", "/home/", "/root/", "/usr/", "/opt/", "/srv/", "/src/", "/app/"];
const machine = common.includes(parent) ? undefined : new RegExp(`(?<![\\w.*])${parent.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`);

let breaches = 0;
for (const path of listFiles()) {
  if (/\.(png|svg|ico|woff2?)$/.test(path)) continue;
  const text = read(path);
  if (text === undefined) continue;
  for (const breach of inspect(path, text)) {
    console.error(breach);
    breaches++;
  }
}
process.exitCode = breaches === 0 ? 0 : 1;
