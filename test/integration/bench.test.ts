import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { COMMAND } from "../support/mesh.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

async function bench(...args: readonly string[]): Promise<readonly Record<string, unknown>[]> {
  const { stdout } = await run(process.execPath, ["--import", "tsx", "test/bench/main.ts", ...args], { cwd: ROOT, timeout: 50_000 });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

// It compares processes of the built command, which only `npm run build` makes.
describe.skipIf(!existsSync(COMMAND))("the benchmark", () => {
  it("counts every message and byte at the far end, for each contender", async () => {
    const rows = await bench("one-way", "--quick", "--json", "--rounds", "1");
    expect(rows).toMatchObject([
      { measure: "one-way", contender: "raw relay", value: "rate", messages: 100_000, bytes: 25_600_000, ratio: 1 },
      { measure: "one-way", contender: "mesh", value: "rate", messages: 100_000, bytes: 25_600_000 },
    ]);
    for (const row of rows) expect(Number(row["median"])).toBeGreaterThan(0);
  });

  it("says which names there are where it is asked for another", async () => {
    await expect(bench("warp-speed")).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("one-way round-trip small-works bulk"),
    });
  });
});
