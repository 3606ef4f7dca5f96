import assert from "node:assert/strict";
import { isMeshError } from "../core/errors.ts";
import { entriesOf, get, write } from "./promised.ts";
import type { Store, WriteOperation } from "./store.ts";

export interface StoreFixture {
  /** A new and empty store. */
  readonly store: Store;
  /** Another opening of the same data, after `store` was closed; left out where nothing outlives a close. */
  reopen?(): Promise<Store>;
  /** Removes what was made. */
  dispose(): Promise<void>;
}

/** A test runner's `test`: registers `body` under `name`. */
export type RegisterTest = (name: string, body: () => Promise<void>) => void;

const ALL = { from: "", to: "~" };

const put = (key: string, ...bytes: number[]): WriteOperation => ({ type: "put", key, value: Uint8Array.from(bytes) });
const remove = (key: string): WriteOperation => ({ type: "delete", key });
const closed = (error: unknown): boolean => isMeshError(error, "CLOSED");
const keys = async (store: Store, range = ALL): Promise<string[]> => (await entriesOf(store, range)).map((entry) => entry.key);

type Body = (store: Store, fixture: StoreFixture) => Promise<void>;

/** What every Store promises, as tests for any runner: `storeCompliance(test, setup)`. */
export function storeCompliance(test: RegisterTest, setup: () => Promise<StoreFixture>): void {
  for (const [name, body] of Object.entries(PROMISES)) {
    test(name, async () => {
      const fixture = await setup();
      try {
        await body(fixture.store, fixture);
      } finally {
        await fixture.store.close();
        await fixture.dispose();
      }
    });
  }
}

const PROMISES: Readonly<Record<string, Body>> = {
  "get finds what was written, and undefined for what was not": async (store) => {
    await write(store, [put("a", 1, 2, 3)]);
    assert.deepEqual([...((await get(store, "a")) ?? [])], [1, 2, 3]);
    assert.equal(await get(store, "b"), undefined);
  },

  "an empty value is a value": async (store) => {
    await write(store, [put("a")]);
    assert.equal((await get(store, "a"))?.length, 0);
  },

  "a later put replaces, a delete removes, and deleting nothing is harmless": async (store) => {
    await write(store, [put("a", 1), put("b", 1)]);
    await write(store, [put("a", 2), remove("b"), remove("never")]);
    assert.deepEqual([...((await get(store, "a")) ?? [])], [2]);
    assert.deepEqual(await keys(store), ["a"]);
  },

  "operations of one write take effect in their order": async (store) => {
    await write(store, [put("a", 1), remove("a"), put("b", 1), put("b", 2)]);
    assert.equal(await get(store, "a"), undefined);
    assert.deepEqual([...((await get(store, "b")) ?? [])], [2]);
  },

  "writes that wait together take effect in the order of the calls": async (store) => {
    const done: number[] = [];
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 500; i++) writes.push(write(store, [put("same", i & 0xff, i >> 8)]).then(() => void done.push(i)));
    await Promise.all(writes);
    assert.deepEqual(
      done,
      done.toSorted((a, b) => a - b),
    );
    assert.deepEqual([...((await get(store, "same")) ?? [])], [499 & 0xff, 499 >> 8]);
  },

  "callbacks never run before the call returns": async (store) => {
    let returned = false;
    const early: string[] = [];
    const note = (what: string): void => {
      if (!returned) early.push(what);
    };
    await write(store, [put("a", 1)]);
    await new Promise<void>((resolve) => {
      let left = 4;
      const count = (what: string): void => {
        note(what);
        if (--left === 0) resolve();
      };
      store.write([put("a", 1)], () => count("write"));
      store.get("a", () => count("get"));
      const take = (): void => count("take");
      store.scan(ALL, take, () => count("scan"));
      returned = true;
    });
    assert.deepEqual(early, []);
  },

  "the caller's bytes may change once write has returned": async (store) => {
    const value = Uint8Array.from([1, 2, 3]);
    const written = write(store, [{ type: "put", key: "a", value }]);
    value.fill(9);
    await written;
    assert.deepEqual([...((await get(store, "a")) ?? [])], [1, 2, 3]);
  },

  "scan gives from (with) to (without), in key order": async (store) => {
    await write(
      store,
      ["c", "a", "d", "b", "e"].map((key) => put(key, 1)),
    );
    assert.deepEqual(await keys(store, { from: "b", to: "e" }), ["b", "c", "d"]);
    assert.deepEqual(await keys(store, { from: "b", to: "b" }), []);
    assert.deepEqual(await keys(store, { from: "x", to: "b" }), []);
  },

  "scan gives many entries": async (store) => {
    const operations = Array.from({ length: 2_500 }, (_, i) => put(`k${String(i).padStart(6, "0")}`, i & 0xff));
    await write(store, operations);
    assert.deepEqual(
      await keys(store, { from: "k", to: "l" }),
      operations.map((operation) => operation.key),
    );
  },

  "close waits for what is queued, and closing twice is harmless": async (store) => {
    let written = false;
    store.write([put("a", 1)], (error) => {
      written = error === undefined;
    });
    await store.close();
    assert.equal(written, true);
    await store.close();
    assert.equal(store.stats.state, "closed");
  },

  "what was written is there after a close": async (store, fixture) => {
    if (fixture.reopen === undefined) return;
    await write(store, [put("a", 1), put("b", 2), remove("a")]);
    await store.close();
    const again = await fixture.reopen();
    try {
      assert.deepEqual(await keys(again), ["b"]);
    } finally {
      await again.close();
    }
  },

  "a closed store answers CLOSED": async (store) => {
    await store.close();
    await assert.rejects(write(store, [put("a", 1)]), closed);
    await assert.rejects(get(store, "a"), closed);
    await assert.rejects(entriesOf(store, ALL), closed);
  },

  "a healthy store says so": async (store) => {
    await write(store, [put("a", 1)]);
    assert.equal(store.stats.state, "ok");
    assert.equal(store.stats.corruptRecords, 0);
    assert.equal(store.stats.setAside, undefined);
  },
};
