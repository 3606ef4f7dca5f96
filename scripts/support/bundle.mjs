import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { root } from "./process.mjs";
import { importing, loadedTogether } from "./together.mjs";

/** What is imported or started by its path: the command, the doors of the package, and the program of a plugin's process. */
const ENTRIES = ["cli/main", "index", "plugin", "testing", "plugin/isolated/child"];

/** Two folders deep, as the rooms of src/ are: modules that find the package by where they are find it from there too. */
const CHUNKS = "chunks";

/**
 * Puts the modules of src/ together into few files in dist/, each module into exactly one of them. What is imported when it is needed stays a file of its
 * own; packages stay outside.
 * @returns {Promise<string[]>} the files, relative to the root; their source maps are beside them
 */
export async function bundle() {
  // Not at the top: the first build of a clone begins before there are any packages.
  const { build } = await import("esbuild");
  const options = {
    absWorkingDir: root,
    entryPoints: ENTRIES.map((name) => ({ in: `src/${name}.ts`, out: name })),
    outdir: "dist",
    chunkNames: `${CHUNKS}/[name]-[hash]`,
    bundle: true,
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20.19",
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
    logLevel: "warning",
  };
  const apart = await build({ ...options, write: false });
  const { metafile } = await build({ ...options, plugins: [importing(loadedTogether(apart.metafile, audienceOf))] });
  const outputs = Object.entries(metafile.outputs).filter(([path]) => path.endsWith(".js"));
  for (const [path, { inputs }] of outputs) {
    for (const source of Object.keys(inputs)) checkPlace(source, path);
  }
  return outputs.map(([path]) => path);
}

/** What a node loads when the first needs it that has a certificate, a TLS address, a WebSocket, or plugins in processes of their own; and tests. */
const PARTS = /^src\/(?:testing|transports\/(?:tls|ws)|node\/membership\/(?:proofs|denials)|plugin\/isolated\/isolated-plugin)\.ts$/;

/**
 * Who loads an entry. What one audience shares with itself is put into one file, and what it shares with others into another: nodes and their parts,
 * every command line, commands, processes of plugins, and what some commands do without a node.
 */
function audienceOf(entry) {
  if (/^src\/(?:index|cli\/node|node\/(?:create|connect))\.ts$/.test(entry)) return "node";
  if (PARTS.test(entry)) return "part";
  if (entry === "src/cli/program.ts") return "line";
  if (entry.startsWith("src/cli/")) return "command";
  return entry.startsWith("src/plugin") ? "plugin" : "tool";
}

/** A module that goes by its own place must be as deep below the root as its source is. */
function checkPlace(source, path) {
  if (!/\bimport\.meta\.(?:url|dirname|filename)\b/.test(readFileSync(join(root, source), "utf8"))) return;
  const up = (file) => relative(dirname(file), "");
  if (up(source) !== up(path)) throw new Error(`${source} goes by its own place, and ${path} is not as deep`);
}
