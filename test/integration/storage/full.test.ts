import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { MeshError } from "../../../src/core/errors.ts";
import { type LevelStore, openLevelStore } from "../../../src/storage/level-store.ts";
import { get, write } from "../../../src/storage/promised.ts";
import { onSmallDisk, whyNoMount } from "../../support/small-disk.ts";
import { key, payload, sequences, withFolder } from "./support.ts";

const SIZE = 20_000;
const MiB = 1024 * 1024;

const reason = whyNoMount();

async function withSmallDisk(mebibytes: number, body: (disk: string) => Promise<void>): Promise<void> {
  await withFolder(async (_dir, root) => {
    const disk = join(root, "disk");
    await onSmallDisk(disk, mebibytes, () => body(disk));
  });
}

/** Writes until one fails; the numbers that were acknowledged, and the error. */
async function writeUntilFull(store: LevelStore, from: number): Promise<{ acknowledged: number[]; error: MeshError }> {
  const acknowledged: number[] = [];
  for (let seq = from; ; seq++) {
    const error = await new Promise<MeshError | undefined>((resolve) =>
      store.write([{ type: "put", key: key(seq), value: payload(seq, SIZE) }], resolve),
    );
    if (error !== undefined) return { acknowledged, error };
    acknowledged.push(seq);
  }
}

async function okAgain(store: LevelStore, within: number): Promise<void> {
  const end = performance.now() + within;
  while (store.stats.state !== "ok" && performance.now() < end) await sleep(50);
  expect(store.stats.state).toBe("ok");
}

test.skipIf(reason !== undefined).each([2, 8, 16])(
  `LevelStore on a full disk of %i MiB refuses writes, loses nothing, and goes on by itself${reason === undefined ? "" : ` (${reason})`}`,
  (mebibytes) =>
    withSmallDisk(mebibytes, async (disk) => {
      const dir = join(disk, "store");
      const filler = join(disk, "filler");
      // Room for the log to be written anew as a table stays behind the filler.
      await writeFile(filler, new Uint8Array(mebibytes * MiB * 0.7));
      const store = await openLevelStore(dir);
      const first = await writeUntilFull(store, 0);
      expect(first.error).toMatchObject({ code: "STORE_FULL", data: { dir } });
      expect(first.acknowledged.length).toBeGreaterThan(10);
      expect(store.stats).toMatchObject({ state: "full", errors: 1 });
      await expect(write(store, [{ type: "delete", key: key(0) }])).rejects.toMatchObject({ code: "STORE_FULL" });
      expect(await get(store, key(0))).toEqual(payload(0, SIZE));

      await sleep(2_500);
      expect(store.stats.state).toBe("full");
      // Where there was enough room to try, it has tried, and the log is closed until it fits.
      const read = await get(store, key(1)).catch((error: unknown) => error);
      if (read instanceof Error) expect(read).toMatchObject({ code: "STORE_FULL" });
      else expect(read).toEqual(payload(1, SIZE));

      await rm(filler);
      await okAgain(store, 10_000);
      expect(await sequences(store, SIZE)).toEqual(expect.arrayContaining(first.acknowledged));
      await write(store, [{ type: "put", key: key(999_999), value: payload(999_999, SIZE) }]);
      await store.close();

      const again = await openLevelStore(dir);
      expect(await sequences(again, SIZE)).toEqual(expect.arrayContaining([...first.acknowledged, 999_999]));
      await again.close();
    }),
  60_000,
);

test.skipIf(reason !== undefined)("LevelStore on a full disk asks for no more room than it needs: its log as a compressed table", () =>
  withSmallDisk(4, async (disk) => {
    const dir = join(disk, "store");
    const filler = join(disk, "filler");
    const spare = join(disk, "spare");
    await writeFile(filler, new Uint8Array(MiB));
    await writeFile(spare, new Uint8Array(MiB / 2));
    const store = await openLevelStore(dir, { retry: 300 });
    const words = new TextEncoder().encode("a record that compresses well. ".repeat(600));
    let stored = 0;
    for (let error; error === undefined; stored++)
      error = await new Promise<MeshError | undefined>((resolve) =>
        store.write([{ type: "put", key: key(stored), value: words }], resolve),
      );
    // The log has more than 2 MiB, and this is a quarter of that.
    await rm(spare);
    await okAgain(store, 10_000);
    for (let seq = 0; seq < stored - 1; seq++) expect(Buffer.compare((await get(store, key(seq))) ?? Buffer.of(), words)).toBe(0);
    await store.close();
  }),
);

test.skipIf(reason !== undefined)(
  "LevelStore on a disk with room for a little, but not for its log as a table, refuses until there is",
  () =>
    withSmallDisk(4, async (disk) => {
      const dir = join(disk, "store");
      const [filler, spare] = [join(disk, "filler"), join(disk, "spare")];
      await writeFile(filler, new Uint8Array(2 * MiB));
      await writeFile(spare, new Uint8Array(MiB / 4));
      const store = await openLevelStore(dir, { retry: 300 });
      const { acknowledged } = await writeUntilFull(store, 0);
      await rm(spare);
      // Several attempts fail.
      await sleep(2_000);
      expect(store.stats).toMatchObject({ state: "full", setAside: undefined, repaired: false });
      await expect(get(store, key(0))).rejects.toMatchObject({ code: "STORE_FULL" });
      await rm(filler);
      await okAgain(store, 10_000);
      expect(await sequences(store, SIZE)).toEqual(expect.arrayContaining(acknowledged));
      expect(store.stats).toMatchObject({ setAside: undefined, repaired: false, lostBytes: 0, lostWrites: 0 });
      await store.close();
    }),
);

test.skipIf(reason !== undefined)("LevelStore.close does not wait for room", () =>
  withSmallDisk(2, async (disk) => {
    const store = await openLevelStore(join(disk, "store"));
    await writeUntilFull(store, 0);
    const started = performance.now();
    await store.close();
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(store.stats.state).toBe("closed");
  }),
);

test.skipIf(reason !== undefined)("LevelStore writes nothing behind a torn record: after a failed write it opens LevelDB anew first", () =>
  withSmallDisk(8, async (disk) => {
    const filler = join(disk, "filler");
    await writeFile(filler, new Uint8Array(6 * MiB));
    const store = await openLevelStore(join(disk, "store"), { retry: 300 });
    const { acknowledged } = await writeUntilFull(store, 0);
    await rm(filler);
    const put = { type: "put", key: key(500_000), value: payload(500_000, SIZE) } as const;
    await expect(write(store, [put])).rejects.toMatchObject({ code: "STORE_FULL" });
    await okAgain(store, 5_000);
    await write(store, [put]);
    await store.close();
    const again = await openLevelStore(join(disk, "store"));
    expect(await sequences(again, SIZE)).toEqual(expect.arrayContaining([...acknowledged, 500_000]));
    expect(again.stats).toMatchObject({ lostBytes: 0, corruptRecords: 0 });
    await again.close();
  }),
);
