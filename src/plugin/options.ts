import { isMeshError, MeshError, toMeshError } from "../core/errors.ts";
import type { PluginDefinition } from "./definition.ts";
import { isRecord } from "./package.ts";

/** What a plugin makes of its part of the configuration. Throws PLUGIN_INVALID where it does not take it. */
export function parseOptions({ name, options }: PluginDefinition, part: unknown, label: string): unknown {
  try {
    return options === undefined ? (part ?? {}) : options.parse(part ?? {});
  } catch (error) {
    throw new MeshError("PLUGIN_INVALID", `${label}: plugin "${name}" does not take its options: ${reasonOf(error)}`, {
      data: { package: label, options: true },
      cause: error,
    });
  }
}

/** Whether an error says that a plugin did not take its options, wherever it was asked. */
export function isOptionsError(error: unknown): boolean {
  return isMeshError(error, "PLUGIN_INVALID") && error.data["options"] === true;
}

/** What a schema found wrong: zod and its kin list issues with paths, others just say. */
function reasonOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "issues" in error && Array.isArray(error.issues)) {
    const issues = error.issues.filter(isIssue).map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`));
    if (issues.length > 0) return issues.join("; ");
  }
  return toMeshError(error).message;
}

function isIssue(value: unknown): value is { path: readonly unknown[]; message: string } {
  return isRecord(value) && Array.isArray(value["path"]) && typeof value["message"] === "string";
}
