import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle.mjs";
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
    // The compiler makes the declarations alone.
    options: ["--emitDeclarationOnly"],
    kinds: [".d.ts"],
    bundle,
    inputs: [
      ...shared,
      "tsconfig.json",
      "package.json",
      "scripts/support/bundle.mjs",
      "scripts/support/together.mjs",
      ...filesBelow("src"),
    ],
  };
  const plugins = pluginFolders().map((folder) => ({
    name: folder,
    project: `${folder}/tsconfig.build.json`,
    folder,
    options: [],
    kinds: [".js", ".js.map", ".d.ts"],
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

/** What the compiler makes of each source, relative to the root. */
function outputsOf(target) {
  const prefix = target.folder === "." ? "" : `${target.folder}/`;
  return target.inputs
    .filter((path) => path.startsWith(`${prefix}src/`) && path.endsWith(".ts") && !path.endsWith(".d.ts"))
    .map((path) => `${prefix}dist/${path.slice(`${prefix}src/`.length).replace(/\.ts$/, "")}`)
    .flatMap((path) => target.kinds.map((kind) => `${path}${kind}`));
}

const areThere = (paths) => paths.every((path) => existsSync(join(root, path)));

/** The stamp says what it was made of, and every file that was made. */
function isBuilt(target) {
  const stamp = stampOf(target);
  if (!existsSync(stamp)) return false;
  const [inputs, ...made] = readFileSync(stamp, "utf8").split("\n");
  return inputs === fingerprint(target.inputs) && areThere(made);
}

/** What was made from a source that is gone, or is put together otherwise now, must not be found any more. */
function removeOrphans(target, made) {
  const wanted = new Set(made);
  for (const path of filesBelow(target.folder === "." ? "dist" : `${target.folder}/dist`)) {
    if (!wanted.has(path)) rmSync(join(root, path), { force: true });
  }
}

async function compile(target) {
  const inputs = fingerprint(target.inputs);
  const compiled = outputsOf(target);
  if (!areThere(compiled)) rmSync(infoOf(target), { force: true });
  const command = [
    ...tool("typescript", "tsc"),
    "-p",
    target.project,
    ...target.options,
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
  let bundled = [];
  try {
    bundled = (await target.bundle?.()) ?? [];
  } catch (error) {
    rmSync(stampOf(target), { force: true });
    console.error(`${error.message}\nBuilding ${target.name} failed.`);
    return 1;
  }
  const made = [...compiled, ...bundled.flatMap((path) => [path, `${path}.map`])];
  removeOrphans(target, made);
  if (target.folder === "." && existsSync(join(root, COMMAND))) chmodSync(join(root, COMMAND), 0o755);
  writeFileSync(stampOf(target), [inputs, ...made].join("\n"));
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
