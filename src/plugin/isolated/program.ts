import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The arguments for Node that run a plugin's process with so much heap: the compiled program, or its source where this module is a source. */
export function programArguments(heap: number): string[] {
  const source = import.meta.url.endsWith(".ts");
  const loader = source ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  const program = fileURLToPath(new URL(source ? "./child.ts" : "./child.js", import.meta.url));
  return [`--max-old-space-size=${Math.ceil(heap / 2 ** 20)}`, ...loader, program, String(process.pid)];
}
