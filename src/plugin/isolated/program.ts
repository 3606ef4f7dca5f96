import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const SOURCE = import.meta.url.endsWith(".ts");

/** The program of a plugin's process. */
export function programPath(): string {
  return fileURLToPath(new URL(SOURCE ? "./child.ts" : "./child.js", import.meta.url));
}

/** The arguments for Node that run a plugin's process with so much heap: the compiled program, or its source where this module is a source. */
export function programArguments(heap: number): string[] {
  const loader = SOURCE ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  return [`--max-old-space-size=${Math.ceil(heap / 2 ** 20)}`, ...loader, programPath(), String(process.pid)];
}
