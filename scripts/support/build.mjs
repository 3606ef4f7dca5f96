import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow, fingerprint, pluginFolders } from "./fingerprint.mjs";
import { inParallel, root, run, tool } from "./process.mjs";

const STAMPS = join(root, ".stamp");
const COMMAND = "dist/cli/main.js";
const LIMIT = 5 * 60_000;

/** What compiles to what: the package itself, and each plugin, which sees the package's declarations. */
function targets() {
  const shared = ["tsconfig.base.json", "package-lock.json"];
  const base = {
    name: "receptor-mesh",
    project: "tsconfig.json",
    folder: ".",
    inputs: [...shared, "tsconfig.json", "package.json", ...filesBelow("src")],
  };
  const plugins = pluginFolders().map((folder) => ({
    name: folder,
    project: `${folder}/tsconfig.build.json`,
    folder,
    inputs: [
      ...shared,
      `${folder}/tsconfig.build.json`,
      `${folder}/package.json`,
      ...filesBelow(`${folder}/src`),
      ...filesBelow("src/plugin"),
      "src/plugin.ts",
    ],
  }));
  return [base, ...plugins].map((target) => ({ ...target, key: target.name.replaceAll("/", "-") }));
}

const stampOf = (target) => join(STAMPS, `build-${target.key}`);
const infoOf = (target) => join(STAMPS, `${target.key}.tsbuildinfo`);

/** Compiled file of each source, relative to the root. */
function outputsOf(target) {
  const prefix = target.folder === "." ? "" : `${target.folder}/`;
  return target.inputs
    .filter((path) => path.startsWith(`${prefix}src/`) && path.endsWith(".ts") && !path.endsWith(".d.ts"))
    .map((path) => `${prefix}dist/${path.slice(`${prefix}src/`.length).replace(/\.ts$/, ".js")}`);
}

const isWhole = (target) => outputsOf(target).every((path) => existsSync(join(root, path)));

function isBuilt(target) {
  const stamp = stampOf(target);
  return existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint(target.inputs) && isWhole(target);
}

/** What was compiled from a source that is gone must not be found any more. */
function removeOrphans(target) {
  const wanted = new Set(outputsOf(target).map((path) => path.replace(/\.js$/, "")));
  for (const path of filesBelow(target.folder === "." ? "dist" : `${target.folder}/dist`)) {
    if (!wanted.has(path.replace(/(\.d\.ts|\.js)(\.map)?$/, ""))) rmSync(join(root, path), { force: true });
  }
}

async function compile(target) {
  const inputs = fingerprint(target.inputs);
  if (!isWhole(target)) rmSync(infoOf(target), { force: true });
  const command = [
    ...tool("typescript", "tsc"),
    "-p",
    target.project,
    "--incremental",
    "--tsBuildInfoFile",
    infoOf(target),
    "--pretty",
    "false",
  ];
  const result = await run(command, { timeout: LIMIT, quiet: true });
  if (result.code !== 0) {
    // tsc writes its output in spite of errors; a later run must look at it again.
    rmSync(stampOf(target), { force: true });
    console.error(`${result.output}Building ${target.name} failed.`);
    return result.code;
  }
  removeOrphans(target);
  if (target.folder === "." && existsSync(join(root, COMMAND))) chmodSync(join(root, COMMAND), 0o755);
  writeFileSync(stampOf(target), inputs);
  return 0;
}

/** Whether everything compiled is what its sources say. */
export function isAllBuilt() {
  return targets().every(isBuilt);
}

/**
 * Compiles what changed: the package first, since plugins see its declarations.
 * @param {{ clean?: boolean }} [options] clean: remove what was compiled before
 * @returns {Promise<number>} the exit code of the compiler
 */
export async function build({ clean = false } = {}) {
  const all = targets();
  mkdirSync(STAMPS, { recursive: true });
  if (clean) {
    for (const target of all) {
      rmSync(join(root, target.folder, "dist"), { recursive: true, force: true });
      rmSync(stampOf(target), { force: true });
      rmSync(infoOf(target), { force: true });
    }
  }
  const [base, ...plugins] = all;
  if (!isBuilt(base)) {
    console.error("Building receptor-mesh ...");
    const code = await compile(base);
    if (code !== 0) return code;
  }
  const changed = plugins.filter((plugin) => !isBuilt(plugin));
  if (changed.length > 0) console.error(`Building ${changed.map((plugin) => plugin.name).join(", ")} ...`);
  const codes = await inParallel(
    changed.map((plugin) => () => compile(plugin)),
    2,
  );
  return codes.find((code) => code !== 0) ?? 0;
}
