import { isErrorCode, isMeshError, MeshError } from "../core/errors.ts";
import type { Outcome } from "./contract.ts";

/** Characters of a message that a plugin may tell the sender. */
const LIMIT = 1_000;

/**
 * What the sender is told of what a plugin threw: a code, a message, never a stack. A MeshError, or an error whose `code` is one of its
 * codes, keeps the code; everything else is WORK_FAILED. An `exitCode` that is a whole number is kept.
 */
export function failureOf(thrown: unknown): Outcome & { readonly error: MeshError } {
  const exitCode = exitCodeOf(thrown);
  const withExit = exitCode === undefined ? {} : { exitCode };
  if (isMeshError(thrown)) return { error: thrown, ...withExit };
  const given = property(thrown, "code");
  const code = isErrorCode(given) ? given : "WORK_FAILED";
  const data = typeof given === "string" && given !== code ? { data: { code: given.slice(0, 64) } } : {};
  const message = messageOf(thrown);
  return {
    error: new MeshError(code, message === "" ? "the plugin failed without a message" : message, { ...data, cause: thrown }),
    ...withExit,
  };
}

function messageOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : property(thrown, "message");
  if (typeof message === "string") return message.slice(0, LIMIT);
  if (typeof thrown === "object" || typeof thrown === "function") return "";
  return thrown === undefined ? "" : `${thrown as string | number | boolean}`.slice(0, LIMIT);
}

function exitCodeOf(thrown: unknown): number | undefined {
  const given = property(thrown, "exitCode");
  return typeof given === "number" && Number.isInteger(given) ? given : undefined;
}

/** What a plugin throws is anything: also something whose properties throw. */
function property(thrown: unknown, name: string): unknown {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    return Reflect.get(thrown, name);
  } catch {
    return undefined;
  }
}
