import { existsSync } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeDataDir } from "../../../src/node/data-dir.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "receptor-data-dir-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("makeDataDir", () => {
  test("makes it and those above it, for its user alone, and leaves one that is there", async () => {
    const dataDir = join(folder, "a", "b", "c");
    await makeDataDir(dataDir);
    await makeDataDir(dataDir);
    for (const made of [dataDir, join(folder, "a")]) expect((await stat(made)).mode & 0o777).toBe(0o700);
  });

  test("rejects with CONFIG_INVALID where a file is in its way", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    for (const path of [file, join(file, "below")]) await expect(makeDataDir(path)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  // Only Linux has a /proc.
  test.skipIf(!existsSync("/proc/self"))(
    "rejects with CONFIG_INVALID where nothing can be made, though Node would try for ever",
    async () => {
      await expect(makeDataDir("/proc/receptor/data")).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining("nothing can be made in /proc"),
      });
    },
  );
});
