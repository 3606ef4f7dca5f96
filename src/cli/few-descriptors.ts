import { readFileSync } from "node:fs";
import { register } from "node:module";

/** Fewer than the loader of ES modules opens at once at a start. */
const FEW = 512;

const LOADER = `
import { readFileSync } from "node:fs";
export async function load(url, context, next) {
  if (context.format !== "module" || !url.startsWith("file:")) return next(url, context);
  return { format: "module", source: readFileSync(new URL(url)), shortCircuit: true };
}`;

/**
 * Where the process may open few files (`ulimit -n 64`), makes Node read modules one after the other: it would open all that a module
 * imports at once, and fail. Costs 50 ms, so only there. Known on Linux alone.
 */
export function readModulesInTurn(): void {
  const limit = openFilesLimit();
  if (limit < FEW) register(`data:text/javascript,${encodeURIComponent(LOADER)}`);
}

function openFilesLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    return Infinity;
  }
}
