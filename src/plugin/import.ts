import { MeshError, toMeshError } from "../core/errors.ts";
import { checkDefinition } from "./check.ts";
import type { PluginDefinition } from "./definition.ts";
import { invalid } from "./package.ts";

/** Milliseconds that a plugin's module, or its start() or stop(), may take. */
export const LOAD_LIMIT = 10_000;

/** Runs a module, and checks what it exports. Rejects with PLUGIN_INVALID. */
export async function importPlugin(url: string, label: string, limit: number): Promise<PluginDefinition> {
  let module: unknown;
  try {
    module = await within(limit, import(url) as Promise<unknown>);
  } catch (error) {
    const why = error === LATE ? `loading it took longer than ${limit} ms` : `loading it failed: ${toMeshError(error).message}`;
    throw invalid(label, why, error);
  }
  return checkDefinition(defaultOf(module), label);
}

/** The default export; of a compiled CommonJS module, the one inside. */
function defaultOf(module: unknown): unknown {
  if (typeof module !== "object" || module === null || !("default" in module)) return undefined;
  const outer = module.default;
  const compiled = typeof outer === "object" && outer !== null && "__esModule" in outer && "default" in outer;
  return compiled ? outer.default : outer;
}

/** What `within` rejects with. */
export const LATE: MeshError = new MeshError("TIMEOUT", "it took too long");

/** The promise, or LATE after `milliseconds`. */
export async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(LATE), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
