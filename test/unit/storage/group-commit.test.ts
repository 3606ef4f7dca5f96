import { describe, expect, test } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { callBack, GroupCommit, type PendingWrite } from "../../../src/storage/group-commit.ts";
import { uncaught } from "../../support/uncaught.ts";

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

interface Commits {
  readonly groups: number[][];
  /** Ends the group that is on its way. */
  readonly end: (error?: MeshError) => Promise<void>;
}

function recorder(limits = {}): { group: GroupCommit<number>; add: (...operations: number[]) => void; done: string[] } & Commits {
  const groups: number[][] = [];
  const done: string[] = [];
  const enders: ((error: MeshError | undefined) => void)[] = [];
  const commit = (group: readonly PendingWrite<number>[]): Promise<MeshError | undefined> => {
    groups.push(group.flatMap((write) => [...write.operations]));
    return new Promise((resolve) => enders.push(resolve));
  };
  const group = new GroupCommit<number>(commit, limits);
  const add = (...operations: number[]): void =>
    group.add({
      operations,
      bytes: 10 * operations.length,
      done: (error) => done.push(`${operations[0]}${error === undefined ? "" : " failed"}`),
    });
  return {
    group,
    add,
    done,
    groups,
    end: async (error) => {
      await settle();
      enders.shift()?.(error);
      await settle();
    },
  };
}

describe("GroupCommit", () => {
  test("sends the writes of one turn as one group, and those that come meanwhile as the next", async () => {
    const { add, end, groups, done, group } = recorder();
    add(1);
    add(2, 3);
    await Promise.resolve();
    await Promise.resolve();
    add(4);
    add(5);
    expect(groups).toEqual([[1, 2, 3]]);
    expect(done).toEqual([]);
    await end();
    expect(done).toEqual(["1", "2"]);
    expect(groups).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
    expect(group.pendingBytes).toBe(20);
    await end();
    await group.idle();
    expect(done).toEqual(["1", "2", "4", "5"]);
    expect(group.pendingBytes).toBe(0);
  });

  test("bounds a group by operations and never splits a write", async () => {
    const { add, end, groups } = recorder({ operations: 3 });
    add(1, 2);
    add(3, 4);
    add(5, 6, 7, 8, 9);
    add(10);
    await end();
    await end();
    await end();
    await end();
    expect(groups).toEqual([[1, 2], [3, 4], [5, 6, 7, 8, 9], [10]]);
  });

  test("bounds a group by bytes", async () => {
    const { add, end, groups } = recorder({ bytes: 20 });
    for (const n of [1, 2, 3]) add(n);
    await end();
    await end();
    expect(groups).toEqual([[1, 2], [3]]);
  });

  test("tells every write of a failed group, and goes on with the next", async () => {
    const { add, end, done } = recorder({ operations: 2 });
    for (const n of [1, 2, 3]) add(n);
    await end(new MeshError("STORE_FULL", "full"));
    await end();
    expect(done).toEqual(["1 failed", "2 failed", "3"]);
  });
});

test("callBack lets what a callback throws surface as an uncaught exception, not in its caller", async () => {
  const failure = new MeshError("INTERNAL", "a defect");
  const surfaced = await uncaught(() =>
    callBack(() => {
      throw failure;
    }),
  );
  expect(surfaced).toBe(failure);
});
