import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Level } from "level";
import { describe, expect, test } from "vitest";
import { type LevelStore, openLevelStore } from "../../../src/storage/level-store.ts";
import { entriesOf } from "../../../src/storage/promised.ts";
import { copyOf, files, fill, original, sequences, withFolder } from "./support.ts";

const now = (): number => Date.UTC(2030, 0, 2, 3, 4, 5);

/** Whatever was done to the files: the node starts, every answer is true, and the store takes writes. */
async function usable(dir: string, size?: number): Promise<{ found: number[]; stats: LevelStore["stats"] }> {
  const store = await openLevelStore(dir, { now });
  const found = await sequences(store, size);
  const { stats } = store;
  await fill(store, 900_000, 900_001, size);
  expect((await sequences(store, size)).at(-1)).toBe(900_000);
  await store.close();
  return { found, stats };
}

async function flip(path: string, at: number, bit: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  await writeFile(path, bytes);
}

const only = (paths: readonly string[]): string => {
  const [path] = paths;
  if (path === undefined) throw new RangeError("no such file");
  return path;
};

describe("LevelStore after damage to its log", () => {
  const WRITES = 20;
  // Each byte takes a minute: `npm run test:every-byte`.
  const STEP = process.env["EVERY_BYTE"] === undefined ? 19 : 1;

  test(
    "cut at any byte of its last 4 KiB, it holds an unbroken prefix of what was written, and says how many writes are missing",
    () =>
      withFolder(async (dir, root) => {
        await original(dir, 400);
        const { size } = await stat(only(await files(dir, /\.log$/)));
        const whole = await readFile(only(await files(dir, /\.log$/)));
        const wrong: string[] = [];
        const lengths = new Set<number>();
        for (let cut = 1; cut <= 4096; cut += STEP) {
          const copy = await copyOf(dir, root, "cut");
          await writeFile(only(await files(copy, /\.log$/)), whole.subarray(0, size - cut));
          const store = await openLevelStore(copy, { now });
          const found = await sequences(store);
          const { lostWrites } = store.stats;
          await store.close();
          const unbroken = found.every((seq, i) => seq === i);
          if (!unbroken || found.length + lostWrites * (400 / WRITES) !== 400)
            wrong.push(`cut ${cut}: ${found.length} found, ${lostWrites} writes missed`);
          lengths.add(found.length);
          await rm(join(root, "cut"), { recursive: true });
        }
        expect(wrong).toEqual([]);
        expect(Math.min(...lengths)).toBeGreaterThan(300);
        expect([...lengths]).not.toContain(400);
      }),
    300_000,
  );

  test("cut, it takes writes again, and misses nothing at the opening after that", () =>
    withFolder(async (dir) => {
      await original(dir, 400);
      const log = only(await files(dir, /\.log$/));
      await truncate(log, (await stat(log)).size - 1_000);
      const { stats } = await usable(dir);
      expect(stats).toMatchObject({ lostWrites: 1, state: "ok" });
      const again = await openLevelStore(dir);
      expect(again.stats.lostWrites).toBe(0);
      await again.close();
    }));

  test("taken away whole, it is missed", () =>
    withFolder(async (dir) => {
      await original(dir, 400);
      await rm(only(await files(dir, /\.log$/)));
      const { found, stats } = await usable(dir);
      expect(found).toEqual([]);
      expect(stats.lostWrites).toBe(WRITES);
    }));

  test("taken away whole, without the mark of how many writes there were: nothing is known, and it starts", () =>
    withFolder(async (dir) => {
      await original(dir, 400);
      await rm(only(await files(dir, /\.log$/)));
      await writeFile(join(dir, "MARK"), "nonsense");
      const { found, stats } = await usable(dir);
      expect(found).toEqual([]);
      expect(stats.lostWrites).toBe(0);
    }));

  test(
    "with any one bit flipped, it never gives a wrong payload, and says so whenever records are lost",
    () =>
      withFolder(async (dir, root) => {
        await original(dir, 400);
        const { size } = await stat(only(await files(dir, /\.log$/)));
        const silent: number[] = [];
        let lost = 0;
        for (let i = 0; i < 200; i++) {
          const copy = await copyOf(dir, root, `flip-${i}`);
          await flip(only(await files(copy, /\.log$/)), Math.floor((size * (i + 0.5)) / 200), i % 8);
          const { found, stats } = await usable(copy);
          if (found.length === 400) continue;
          lost++;
          if (stats.lostBytes + stats.lostWrites + stats.corruptRecords === 0) silent.push(i);
        }
        expect(lost).toBeGreaterThan(150);
        expect(silent).toEqual([]);
      }),
    60_000,
  );
});

describe("LevelStore after damage to its tables", () => {
  // Bytes that do not compress, in more than one write buffer: several tables.
  const RECORDS = 6_000;
  const SIZE = 2_000;

  test(
    "a missing table: repaired, most records are there, and it says so",
    () =>
      withFolder(async (dir) => {
        await original(dir, RECORDS, SIZE);
        await rm(only(await files(dir, /\.ldb$/)));
        const { found, stats } = await usable(dir, SIZE);
        expect(found.length).toBeGreaterThan(0);
        expect(found.length).toBeLessThan(RECORDS);
        expect(stats).toMatchObject({ state: "ok", repaired: true, setAside: undefined });
      }),
    60_000,
  );

  test(
    "flipped bits: what is damaged is counted and left out, the rest is there",
    () =>
      withFolder(async (dir) => {
        await original(dir, RECORDS, SIZE);
        for (const table of await files(dir, /\.ldb$/)) for (let at = 5_000; at < 1_000_000; at += 100_000) await flip(table, at, 3);
        const { found, stats } = await usable(dir, SIZE);
        expect(found.length).toBeLessThan(RECORDS);
        expect(found.length).toBeGreaterThan(RECORDS * 0.9);
        expect(stats.corruptRecords).toBeGreaterThanOrEqual(10);
      }),
    60_000,
  );

  test(
    "blocks that cannot be decompressed do not end a scan",
    () =>
      withFolder(async (dir) => {
        // One byte repeated compresses; a flip in the compressed block makes it unreadable as a whole.
        const store = await openLevelStore(dir);
        const value = new Uint8Array(3_000).fill(7);
        for (let first = 0; first < 4_000; first += 500) {
          await new Promise<void>((resolve, reject) => {
            const operations = Array.from({ length: 500 }, (_, i) => ({
              type: "put" as const,
              key: `k${String(first + i).padStart(5, "0")}`,
              value,
            }));
            store.write(operations, (error) => (error === undefined ? resolve() : reject(error)));
          });
        }
        await store.close();
        for (const table of await files(dir, /\.ldb$/)) await flip(table, 100, 2);
        const again = await openLevelStore(dir);
        const keys = (await entriesOf(again, { from: "", to: "~" })).map(({ key }) => key);
        expect(keys.length).toBeLessThan(4_000);
        expect(keys.length).toBeGreaterThan(3_900);
        expect(keys.at(-1)).toBe("k03999");
        expect(again.stats.corruptRecords).toBeGreaterThan(0);
        await again.close();
      }),
    60_000,
  );
});

describe("LevelStore after damage to its bookkeeping", () => {
  test.each([
    ["an empty CURRENT", async (dir: string) => writeFile(join(dir, "CURRENT"), "")],
    ["a CURRENT that names nothing", async (dir: string) => writeFile(join(dir, "CURRENT"), "MANIFEST-999999\n")],
    ["no MANIFEST", async (dir: string) => rm(only(await files(dir, /^MANIFEST/)))],
    ["a damaged MANIFEST", async (dir: string) => flip(only(await files(dir, /^MANIFEST/)), 20, 1)],
  ])("%s: repaired with every record", (_what, damage) =>
    withFolder(async (dir) => {
      await original(dir, 100);
      await damage(dir);
      const { found, stats } = await usable(dir);
      expect(found).toHaveLength(100);
      expect(stats).toMatchObject({ repaired: true, setAside: undefined });
    }),
  );

  test("beyond repair: set aside under a name with the time, and a new store is begun", () =>
    withFolder(async (dir, root) => {
      await original(dir, 100);
      await rm(join(dir, "LOCK"));
      await mkdir(join(dir, "LOCK"));
      const { found, stats } = await usable(dir);
      expect(found).toEqual([]);
      expect(stats).toMatchObject({ state: "ok", setAside: join(root, "store.damaged-2030-01-02T03-04-05-000Z") });
      expect(await readdir(stats.setAside ?? "")).toContain("CURRENT");
    }));
});

describe("openLevelStore on what is no store", () => {
  test("the database of another program: it is set aside whole, with nothing written to it", () =>
    withFolder(async (dir) => {
      const foreign = new Level(dir);
      await foreign.put("diary", "dear");
      await foreign.close();
      const before = await files(dir, /^(\d+\.log|MARK)$/);
      const { found, stats } = await usable(dir);
      expect(found).toEqual([]);
      expect((await files(stats.setAside ?? "", /\d+\.log$|MARK/)).length).toBe(before.length);
      const again = new Level(stats.setAside ?? "");
      expect(await again.iterator().all()).toEqual([["diary", "dear"]]);
      await again.close();
    }));

  test("a folder with other files: they stay as they are, and the node starts", () =>
    withFolder(async (dir) => {
      await mkdir(dir);
      await writeFile(join(dir, "notes.txt"), "mine");
      await usable(dir);
      expect(await readFile(join(dir, "notes.txt"), "utf8")).toBe("mine");
    }));

  test("a foreign CURRENT: the folder is set aside whole", () =>
    withFolder(async (dir) => {
      await mkdir(dir);
      await writeFile(join(dir, "CURRENT"), "a diary\n");
      await writeFile(join(dir, "000001.log"), "dear diary");
      await writeFile(join(dir, "index.html"), "<p>");
      const { stats } = await usable(dir);
      expect(await readFile(join(stats.setAside ?? "", "000001.log"), "utf8")).toBe("dear diary");
    }));

  test("a file in its place: set aside", () =>
    withFolder(async (dir) => {
      await writeFile(dir, "a file");
      const { stats } = await usable(dir);
      expect(await readFile(stats.setAside ?? "", "utf8")).toBe("a file");
      expect(dirname(stats.setAside ?? "")).toBe(dirname(dir));
    }));

  test("an empty folder is a new store, with nothing to report", () =>
    withFolder(async (dir) => {
      await mkdir(dir);
      const { found, stats } = await usable(dir);
      expect(found).toEqual([]);
      expect(stats).toMatchObject({ state: "ok", repaired: false, setAside: undefined, lostBytes: 0, corruptRecords: 0 });
    }));
});
