import { getHeapSpaceStatistics } from "node:v8";
import { expect, test } from "vitest";
import { HeapRest } from "../../../src/cli/heap-rest.ts";

const MIB = 1024 * 1024;

test("HeapRest: V8 shrinks a young generation that has grown, once little is allocated", async () => {
  const young = (): number => getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? 0;
  let kept: object[] = [];
  while (young() < 16 * MIB) {
    for (let i = 0; i < 50_000; i++) kept.push({ i });
    if (kept.length > 400_000) kept = kept.slice(200_000);
  }
  kept = [];
  // V8 looks back on some seconds of allocation.
  await expect
    .poll(
      () => {
        const rest = new HeapRest({ busy: () => 0, sizes: () => ({ young: young(), used: 0 }) });
        rest.look();
        rest.look();
        return young();
      },
      { interval: 500, timeout: 30_000 },
    )
    .toBeLessThan(12 * MIB);
});
