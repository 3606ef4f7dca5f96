import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { FROM_SOURCE, PACKAGE, PROGRAM } from "../place.ts";

/** The arguments for Node that run a plugin's process with so much heap. */
export function programArguments(heap: number): string[] {
  const tsx = (): string => createRequire(join(PACKAGE, "package.json")).resolve("tsx");
  const loader = FROM_SOURCE ? ["--import", pathToFileURL(tsx()).href] : [];
  return [`--max-old-space-size=${Math.ceil(heap / 2 ** 20)}`, ...loader, PROGRAM, String(process.pid)];
}
