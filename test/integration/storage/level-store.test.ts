import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { storeCompliance } from "../../../src/storage/compliance.ts";
import { describeHolder, removeHolder, writeHolder } from "../../../src/storage/holder.ts";
import { openLevelStore } from "../../../src/storage/level-store.ts";
import { write } from "../../../src/storage/promised.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { withFolder } from "./support.ts";

describe("LevelStore keeps the promises of a Store", () => {
  storeCompliance(test, async () => {
    const root = await mkdtemp(join(tmpdir(), "receptor-store-"));
    const dir = join(root, "store");
    return {
      store: await openLevelStore(dir),
      reopen: () => openLevelStore(dir),
      dispose: () => rm(root, { recursive: true, force: true }),
    };
  });
});

test("LevelStore shares one batch between the writes that wait", () =>
  withFolder(async (dir) => {
    const store = await openLevelStore(dir);
    const writes = Array.from({ length: 300 }, (_, i) => write(store, [{ type: "put", key: `k${i}`, value: new Uint8Array(10) }]));
    await Promise.all(writes);
    expect(store.stats).toMatchObject({ writes: 300, errors: 0, pendingBytes: 0 });
    expect(store.stats.batches).toBeLessThanOrEqual(2);
    await store.close();
  }));

describe("openLevelStore on a folder that is in use", () => {
  test("rejects with DATA_DIR_IN_USE, which says who holds it", () =>
    withFolder(async (dir, root) => {
      const first = await openLevelStore(dir);
      await writeHolder(root, { pid: 4711, node: nodeId("edge-1") });
      const error = await openLevelStore(dir).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "DATA_DIR_IN_USE", data: { dir: root, node: "edge-1", pid: 4711 }, exit: 78 });
      expect(String(error)).toContain('node "edge-1" (process 4711)');
      await first.close();
      await (await openLevelStore(dir)).close();
    }));

  test("rejects also where nobody noted who", () =>
    withFolder(async (dir) => {
      const first = await openLevelStore(dir);
      await expect(openLevelStore(dir)).rejects.toThrow(/in use by another process/);
      await first.close();
    }));
});

test("describeHolder reads what writeHolder wrote, until removeHolder", () =>
  withFolder(async (_dir, root) => {
    expect(await describeHolder(root)).toBeUndefined();
    await writeHolder(root, { pid: 1, node: nodeId("a") });
    expect(await describeHolder(root)).toEqual({ pid: 1, node: "a" });
    await removeHolder(root);
    await removeHolder(root);
    expect(await describeHolder(root)).toBeUndefined();
  }));
