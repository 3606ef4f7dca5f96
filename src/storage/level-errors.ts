import { MeshError } from "../core/errors.ts";

/**
 * What an error of the database means for the store. `missing`: files that should be there are not, or are of the wrong kind. `other` may
 * pass by itself (no descriptors left, a disk that does not answer).
 */
export type Fault = "locked" | "full" | "damaged" | "missing" | "denied" | "other";

const FULL = /no space left|quota exceeded|ENOSPC|EDQUOT/i;
const DAMAGED = /^(Corruption|Invalid argument): /;
const MISSING = /no such file|not a directory|is a directory|ENOENT|ENOTDIR|EEXIST|EISDIR/i;
const DENIED = /permission denied|read-only file system|operation not permitted|EACCES|EROFS|EPERM/i;

/** Reads the codes and messages of `thrown` and its causes; LevelDB tells a full disk by its message alone. */
export function faultOf(thrown: unknown): Fault {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 4; error = error.cause, depth++) {
    const code = "code" in error ? String(error.code) : "";
    if (code === "LEVEL_LOCKED") return "locked";
    if (FULL.test(error.message) || FULL.test(code)) return "full";
    if (code === "LEVEL_CORRUPTION" || DAMAGED.test(error.message)) return "damaged";
    if (DENIED.test(error.message)) return "denied";
    if (MISSING.test(error.message)) return "missing";
  }
  return "other";
}

/** The last message in the chain of causes: the one that LevelDB or the system wrote. */
export function rootMessage(thrown: unknown): string {
  let message = String(thrown);
  for (let error = thrown, depth = 0; error instanceof Error && depth < 4; error = error.cause, depth++) message = error.message;
  return message;
}

export function storeFull(dir: string, cause?: unknown): MeshError {
  return new MeshError("STORE_FULL", `no room on the disk of ${dir}: free some, and the node goes on by itself`, { data: { dir }, cause });
}

/** For a store that cannot be read or written, or whose file system is gone. */
export function storeFailed(dir: string, cause?: unknown): MeshError {
  const why = cause === undefined ? "" : ` (${rootMessage(cause)})`;
  return new MeshError("STORE_CORRUPT", `the store in ${dir} does not work${why}; the node tries again by itself`, {
    data: { dir },
    cause,
  });
}

export function storeClosed(): MeshError {
  return new MeshError("CLOSED", "the store is closed");
}
