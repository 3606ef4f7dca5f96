import { chmod, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { MeshError } from "../../../src/core/errors.ts";
import { storeCompliance } from "../../../src/storage/compliance.ts";
import { describeHolder, removeHolder, writeHolder } from "../../../src/storage/holder.ts";
import { openLevelStore } from "../../../src/storage/level-store.ts";
import { get, scan, write } from "../../../src/storage/promised.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { withFolder } from "./support.ts";
import { uncaught } from "../../support/uncaught.ts";

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

test.skipIf(process.platform === "win32")("openLevelStore keeps others from its folder, whoever made it before", () =>
  withFolder(async (dir) => {
    const modeOf = async (): Promise<number> => (await stat(dir)).mode & 0o777;
    await (await openLevelStore(dir)).close();
    expect(await modeOf()).toBe(0o700);
    await chmod(dir, 0o755);
    await (await openLevelStore(dir)).close();
    expect(await modeOf()).toBe(0o700);
  }),
);

test("LevelStore shares one batch between the writes that wait", () =>
  withFolder(async (dir) => {
    const store = await openLevelStore(dir);
    const writes = Array.from({ length: 300 }, (_, i) => write(store, [{ type: "put", key: `k${i}`, value: new Uint8Array(10) }]));
    await Promise.all(writes);
    expect(store.stats).toMatchObject({ writes: 300, errors: 0, pendingBytes: 0 });
    expect(store.stats.batches).toBeLessThanOrEqual(2);
    await store.close();
  }));

describe("LevelStore.scan of more than fits into one reading", () => {
  const COUNT = 200;
  const fill = async (dir: string) => {
    const store = await openLevelStore(dir);
    const value = new Uint8Array(16_384);
    await write(
      store,
      Array.from({ length: COUNT }, (_, i) => ({ type: "put", key: `k${String(i).padStart(3, "0")}`, value })),
    );
    return store;
  };

  test("hands it over in parts, in order", () =>
    withFolder(async (dir) => {
      const store = await fill(dir);
      const parts: string[][] = [];
      await scan(store, { from: "k", to: "l" }, (entries) => void parts.push(entries.map(({ key }) => key)));
      expect(parts.flat()).toEqual(Array.from({ length: COUNT }, (_, i) => `k${String(i).padStart(3, "0")}`));
      expect(Math.max(...parts.map((part) => part.length))).toBeLessThan(40);
      await store.close();
    }));

  test("ends with CLOSED where the store is closed meanwhile, and holds the closing up no longer", () =>
    withFolder(async (dir) => {
      const store = await fill(dir);
      let [seen, closing] = [0, Promise.resolve()];
      const scanned = scan(store, { from: "k", to: "l" }, (entries) => {
        seen += entries.length;
        closing = store.close();
      });
      await expect(scanned).rejects.toMatchObject({ code: "CLOSED" });
      await closing;
      expect(seen).toBeGreaterThan(0);
      expect(seen).toBeLessThan(COUNT);
    }));

  test("goes on where who takes them throws, which surfaces", () =>
    withFolder(async (dir) => {
      const store = await fill(dir);
      const failure = new Error("of whoever takes them");
      let seen = 0;
      const surfaced = await uncaught(() =>
        scan(store, { from: "k", to: "l" }, (entries) => {
          seen += entries.length;
          if (seen === entries.length) throw failure;
        }),
      );
      expect(surfaced).toBe(failure);
      expect(seen).toBe(COUNT);
      await store.close();
    }));
});

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

test("LevelStore whose folder is taken away refuses writes, and goes on by itself with a new one", () =>
  withFolder(async (dir) => {
    const store = await openLevelStore(dir, { retry: 50 });
    await rm(dir, { recursive: true });
    const value = new Uint8Array(256 * 1024);
    let error: MeshError | undefined;
    // LevelDB notices when it begins its next log, after 4 MiB.
    for (let i = 0; i < 100 && error === undefined; i++) {
      error = await new Promise((resolve) => store.write([{ type: "put", key: `k${i}`, value }], resolve));
    }
    expect(error).toMatchObject({ code: "STORE_CORRUPT" });
    expect(store.stats).toMatchObject({ state: "failed", errors: 1 });
    await vi.waitFor(() => expect(store.stats.state).toBe("ok"), { timeout: 5_000 });
    await write(store, [{ type: "put", key: "after", value: Uint8Array.of(1) }]);
    expect(await get(store, "after")).toEqual(Uint8Array.of(1));
    await store.close();
  }));
