import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const MODULE = fileURLToPath(new URL("../../../src/cli/young-generation.ts", import.meta.url));

/** MiB of the young generation, in a process of its own, after each of two loads of 40 MiB that stay. */
function grown(first: string, second: string): readonly number[] {
  const program = `
    import v8 from "node:v8";
    import * as young from ${JSON.stringify(MODULE)};
    const kept = [];
    const load = () => { for (let i = 0; i < 400_000; i++) kept.push({ i, text: [i] }); };
    const size = () => v8.getHeapSpaceStatistics().find((space) => space.space_name === "new_space").physical_space_size / 2 ** 20;
    young.growYoungGenerationOnce();
    for (let i = 0; i < 40_000; i++) kept.push({ i });
    ${first}
    load();
    const before = size();
    ${second}
    load();
    console.log(JSON.stringify([before, size(), kept.length]));`;
  const args = ["--import", "tsx", "--input-type=module", "--eval", program];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as readonly number[];
}

describe("holdYoungGeneration", () => {
  it("keeps what stays from enlarging the memory for new objects, until it may grow", () => {
    const [held = 0, after = 0] = grown("young.holdYoungGeneration();", "young.letYoungGenerationGrow();");
    expect(held).toBeLessThanOrEqual(9);
    expect(after).toBeGreaterThan(14);
  });
});
