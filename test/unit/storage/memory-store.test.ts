import { describe, expect, test } from "vitest";
import { storeCompliance } from "../../../src/storage/compliance.ts";
import { MemoryStore } from "../../../src/storage/memory-store.ts";
import { entriesOf, get, write } from "../../../src/storage/promised.ts";
import type { WriteOperation } from "../../../src/storage/store.ts";

const put = (key: string, byte = 1): WriteOperation => ({ type: "put", key, value: Uint8Array.of(byte) });

/** A scheduler that runs only when told to. */
function stepper(): { schedule: (task: () => void) => void; run: () => void } {
  const tasks: (() => void)[] = [];
  return { schedule: (task) => tasks.push(task), run: () => tasks.splice(0).forEach((task) => task()) };
}

describe("MemoryStore keeps the promises of a Store", () => {
  storeCompliance(test, async () => ({ store: new MemoryStore(), dispose: async () => undefined }));
});

const keysAfterCrash = async (random: number): Promise<string[]> => {
  const { schedule, run } = stepper();
  const store = new MemoryStore({ schedule });
  store.write([put("acknowledged")], () => undefined);
  run();
  for (const key of ["p1", "p2", "p3"]) store.write([put(key), put(`${key}-twin`)], () => expect.unreachable());
  const next = store.crash(() => random);
  run();
  const found = entriesOf(next, { from: "", to: "~" });
  run();
  return (await found).map((entry) => entry.key);
};

describe("MemoryStore.crash", () => {
  test("keeps what was acknowledged, and loses the rest whole", async () => {
    expect(await keysAfterCrash(0)).toEqual(["acknowledged"]);
  });

  test("may keep the first of what was not acknowledged, each write whole", async () => {
    expect(await keysAfterCrash(0.5)).toEqual(["acknowledged", "p1", "p1-twin", "p2", "p2-twin"]);
    expect(await keysAfterCrash(0.99)).toHaveLength(7);
  });

  test("runs no callback of the old store any more", async () => {
    const { schedule, run } = stepper();
    const store = new MemoryStore({ schedule });
    let ran = 0;
    store.write([put("a")], () => ran++);
    store.get("a", () => ran++);
    store.crash(() => 0.9);
    run();
    expect(ran).toBe(0);
    await store.close();
  });

  test("leaves the new store apart from the old one", async () => {
    const store = new MemoryStore();
    await write(store, [put("a", 1)]);
    const next = store.crash(() => 0);
    await write(next, [put("a", 2), put("b", 1)]);
    expect(await get(next, "a")).toEqual(Uint8Array.of(2));
    expect([store.size, next.size]).toEqual([1, 2]);
  });
});

describe("MemoryStore.fail", () => {
  test("refuses writes with the code, keeps what is there, and takes writes again", async () => {
    const store = new MemoryStore();
    await write(store, [put("a")]);
    store.fail("STORE_FULL");
    expect(store.stats.state).toBe("full");
    await expect(write(store, [put("b")])).rejects.toMatchObject({ code: "STORE_FULL" });
    expect(await get(store, "a")).toEqual(Uint8Array.of(1));
    expect(await get(store, "b")).toBeUndefined();
    store.fail(undefined);
    await write(store, [put("b")]);
    expect(store.stats.state).toBe("ok");
    expect(store.size).toBe(2);
  });
});

test("MemoryStore scans a small range of 100,000 entries without looking at the others", async () => {
  const store = new MemoryStore();
  await write(
    store,
    Array.from({ length: 100_000 }, (_, i) => put(String(i).padStart(6, "0"))),
  );
  const started = performance.now();
  for (let i = 0; i < 1_000; i++) await entriesOf(store, { from: "050000", to: "050010" });
  // A sort of 100,000 keys takes over 10 ms; a thousand of them could not be done in this time.
  expect(performance.now() - started).toBeLessThan(2_000);
});
