import { expect, it } from "vitest";
import type { MeshError } from "../../../src/core/errors.ts";
import { beginLife, EpochKeeper, type Life } from "../../../src/node/life.ts";
import { MemoryStore } from "../../../src/storage/memory-store.ts";

const immediately = { schedule: (task: () => void): void => task() };

function begun(store: MemoryStore): Life {
  let begun: Life | undefined;
  beginLife(
    store,
    (count) => new Uint8Array(count),
    (_error, life) => void (begun = life),
  );
  return begun ?? expect.unreachable("no life began");
}

it("EpochKeeper tries again until the disk takes the epoch, so that the next life begins above it", () => {
  const store = new MemoryStore(immediately);
  const later: (() => void)[] = [];
  const failures: MeshError[] = [];
  const keeper = new EpochKeeper(
    store,
    begun(store),
    (_delay, task) => (later.push(task), (): void => undefined),
    (error) => void failures.push(error),
  );
  store.fail("STORE_FULL");
  keeper.raise(5);
  keeper.raise(7);
  later.shift()?.();
  expect(failures.map(({ code }) => code)).toEqual(["STORE_FULL", "STORE_FULL"]);
  store.fail(undefined);
  later.shift()?.();
  expect(later).toEqual([]);
  expect(begun(store).epoch).toBe(8);
});

it("EpochKeeper tries no more once it is closed", () => {
  const store = new MemoryStore(immediately);
  let cancelled = 0;
  const keeper = new EpochKeeper(
    store,
    begun(store),
    () => () => void cancelled++,
    () => undefined,
  );
  store.fail("STORE_FULL");
  keeper.raise(5);
  keeper.close();
  keeper.raise(6);
  expect(cancelled).toBe(1);
  store.fail(undefined);
  expect(begun(store).epoch).toBe(2);
});
