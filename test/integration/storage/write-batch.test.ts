import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openLevelStore } from "../../../src/storage/level-store.ts";
import { entriesOf } from "../../../src/storage/promised.ts";
import type { Entry, Store } from "../../../src/storage/store.ts";

const PAGE = 16_000;

function write(store: Store, values: readonly (readonly [string, Uint8Array | undefined])[]): Promise<void> {
  const operations = values.map(([key, value]) =>
    value === undefined ? { type: "delete" as const, key } : { type: "put" as const, key, value },
  );
  return new Promise((resolve, reject) => {
    store.write(operations, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

function all(store: Store): Promise<readonly Entry[]> {
  return entriesOf(store, { from: "", to: "~" });
}

it("what is large and what is small is written alike, again and again in the same memory, each with what it was given", async () => {
  const folder = await mkdtemp(join(tmpdir(), "receptor-batch-"));
  try {
    const store = await openLevelStore(folder);
    const value = new Uint8Array(PAGE);
    for (let round = 0; round < 20; round++) {
      const writes = Array.from({ length: 40 }, (_, i) => {
        value.fill(round + i);
        // The store copies before it returns.
        return write(store, [[`large/${round}/${i}`, value.subarray(0, PAGE - i)]]);
      });
      await Promise.all(writes);
      await write(store, [
        [`small/${round}`, Uint8Array.of(round)],
        [`large/${round}/0`, undefined],
      ]);
    }
    await store.close();
    const again = await openLevelStore(folder);
    const found = new Map((await all(again)).map(({ key, value: stored }) => [key, stored]));
    await again.close();
    for (let round = 0; round < 20; round++) {
      expect(found.get(`small/${round}`)).toEqual(Uint8Array.of(round));
      expect(found.has(`large/${round}/0`)).toBe(false);
      for (let i = 1; i < 40; i++) {
        const stored = found.get(`large/${round}/${i}`);
        expect(stored?.length).toBe(PAGE - i);
        expect(stored?.every((byte) => byte === round + i)).toBe(true);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
