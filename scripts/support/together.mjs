import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "./process.mjs";

/** Bytes of a file that takes longer to find and open than to parse: such are put together whoever loads them. */
const SMALL = 16_000;

/** What Node itself has loaded before it runs a program. */
const AT_HAND = new Set(["fs", "fs/promises", "module", "os", "path", "url", "util"].map((name) => `node:${name}`));

/**
 * Node loads a few large files faster than many small ones, and esbuild makes a file of its own for each set of entries that share a module. Entries of
 * one audience are taken for one here: what any of them shares with others, all that load some of it load whole.
 * @param {{ outputs: Record<string, object> }} metafile of a build without this
 * @param {(entry: string) => string} audienceOf by the source of an entry; a "part" is loaded by a "node" alone, and later
 * @returns {Map<string, Set<string>>} what each entry should import besides, by its source
 */
export function loadedTogether({ outputs }, audienceOf) {
  const loads = loadsOf(outputs);
  const extra = new Map([...loads.keys()].map((entry) => [entry, new Set()]));
  // What is added brings what it imports itself, which may be more.
  for (let grew = true; grew; ) {
    grew = false;
    for (const files of byAudience(outputs, loads, audienceOf)) {
      for (const [entry, loaded] of loads) {
        if (files.size < 2 || ![...files].some((file) => loaded.has(file))) continue;
        for (const file of files) {
          if (loaded.has(file)) continue;
          grew = true;
          for (const other of reached(outputs, file)) loaded.add(other);
          for (const source of Object.keys(outputs[file].inputs)) extra.get(entry).add(source);
        }
      }
    }
  }
  return extra;
}

/** By the source of each entry, the files that come with it. */
function loadsOf(outputs) {
  const entries = Object.entries(outputs).filter(([, { entryPoint }]) => entryPoint !== undefined);
  return new Map(entries.map(([file, { entryPoint }]) => [entryPoint, reached(outputs, file)]));
}

function reached(outputs, file, seen = new Set()) {
  if (seen.has(file) || outputs[file] === undefined) return seen;
  seen.add(file);
  for (const { path, external } of importsOf(outputs[file])) if (!external) reached(outputs, path, seen);
  return seen;
}

/** What is loaded with a file, and not by it later. */
function importsOf({ imports }) {
  return imports.filter(({ kind }) => kind === "import-statement");
}

/** The files that are shared, each with those that the same audiences load. */
function byAudience(outputs, loads, audienceOf) {
  const groups = new Map();
  for (const [file, output] of Object.entries(outputs)) {
    if (output.entryPoint !== undefined || !file.endsWith(".js")) continue;
    const audiences = new Set([...loads].filter(([, loaded]) => loaded.has(file)).map(([entry]) => audienceOf(entry)));
    // A part finds loaded what the node has.
    if (audiences.has("node")) audiences.delete("part");
    // A package is far larger than what it is imported by.
    if (audiences.size > 1 && importsOf(output).some(({ path, external }) => external && !path.startsWith("node:"))) continue;
    const key = audiences.size > 1 && isSmall(outputs, file) ? "small" : [...audiences].sort((a, b) => a.localeCompare(b)).join();
    groups.set(key, (groups.get(key) ?? new Set()).add(file));
  }
  return groups.values();
}

/** Whether a file asks for nothing that would take longer to load than itself. */
function isSmall(outputs, file) {
  const imports = importsOf(outputs[file]);
  return outputs[file].bytes < SMALL && imports.every(({ path, external }) => (external ? AT_HAND.has(path) : isSmall(outputs, path)));
}

/** For esbuild: has entries import what else they should, after all that they import by themselves. */
export function importing(extra) {
  return {
    name: "loaded-together",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const more = [...extra].find(([entry]) => join(root, entry) === path)?.[1];
        if (more === undefined || more.size === 0) return undefined;
        const imports = [...more].map((source) => `import ${JSON.stringify(join(root, source))};`);
        return { contents: `${await readFile(path, "utf8")}\n${imports.join("")}\n`, loader: "ts" };
      });
    },
  };
}
