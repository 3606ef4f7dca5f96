import { describe, expect, test } from "vitest";
import { type Fault, faultOf, rootMessage } from "../../../src/storage/level-errors.ts";

const leveldb = (code: string | undefined, message: string): Error => {
  const cause = Object.assign(new Error(message), code === undefined ? {} : { code });
  return Object.assign(new Error("Database failed to open", { cause }), { code: "LEVEL_DATABASE_NOT_OPEN" });
};

describe("faultOf", () => {
  test.each<[Fault, string | undefined, string]>([
    ["locked", "LEVEL_LOCKED", "IO error: lock /d/LOCK: already held by process"],
    ["full", "LEVEL_IO_ERROR", "IO error: /d/000005.log: No space left on device"],
    ["full", "LEVEL_IO_ERROR", "IO error: /d/000005.log: Disk quota exceeded"],
    ["damaged", "LEVEL_CORRUPTION", "Corruption: 1 missing files; e.g.: /d/000005.ldb"],
    ["damaged", undefined, "Invalid argument: leveldb.BytewiseComparator does not match existing comparator"],
    ["missing", "LEVEL_IO_ERROR", "IO error: /d/MANIFEST-000002: No such file or directory"],
    ["missing", "EEXIST", "EEXIST: file already exists, mkdir '/d'"],
    ["denied", "LEVEL_IO_ERROR", "IO error: /d/LOCK: Permission denied"],
    ["denied", "EROFS", "EROFS: read-only file system, mkdir '/d'"],
    // Nothing is wrong with the store here: taken for damage, it would be moved away.
    ["other", "LEVEL_IO_ERROR", "IO error: /d/LOCK: Too many open files"],
    ["other", "LEVEL_IO_ERROR", "IO error: /d/CURRENT: Input/output error"],
  ])("%s: %s %s", (fault, code, message) => {
    expect(faultOf(leveldb(code, message))).toBe(fault);
    expect(rootMessage(leveldb(code, message))).toBe(message);
  });

  test("what is no error is other", () => {
    expect(faultOf("text")).toBe("other");
    expect(rootMessage("text")).toBe("text");
  });
});
