import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { Measure } from "../bench/measure.ts";
import type { Row } from "../bench/run.ts";
import { runMeasure } from "../bench/run.ts";
import { plot } from "../bench/plot.ts";
import { natsServer } from "../bench/stage.ts";
import { table } from "../bench/table.ts";
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

/** Two contenders with these figures, one in each round. */
function measureOf(first: readonly number[], second: readonly number[], messages = 1): Measure {
  const contender = (name: string, figures: readonly number[]) => ({
    name,
    run: (round: number) => Promise.resolve({ values: { rate: figures[round] ?? 0 }, messages, bytes: 8 }),
  });
  return {
    name: "made-up",
    what: "figures <made up>",
    units: { rate: "messages/s" },
    goals: [
      { contender: "mesh", value: "rate", to: "raw", least: 0.5 },
      { contender: "mesh", value: "rate", to: "nobody", least: 3 },
      { contender: "mesh", value: "rate", least: 20 },
    ],
    expected: { messages: 1, bytes: 8 },
    contenders: () => Promise.resolve([contender("raw", first), contender("mesh", second)]),
  };
}

// It compares processes of the built command, which only `npm run build` makes.
describe.skipIf(!existsSync(COMMAND))("the benchmark", () => {
  it("counts every message and byte at the far end, for each contender", async () => {
    const rows = await bench("one-way", "--quick", "--json", "--rounds", "1");
    expect(rows.slice(0, 2)).toMatchObject([
      { measure: "one-way", contender: "raw relay", value: "rate", messages: 100_000, bytes: 25_600_000, ratio: 1 },
      { measure: "one-way", contender: "mesh", value: "rate", messages: 100_000, bytes: 25_600_000 },
    ]);
    for (const row of rows) expect(Number(row["median"])).toBeGreaterThan(0);
  });

  it.skipIf(natsServer() === undefined)("compares with NATS where its server is there (needs Debian's nats-server)", async () => {
    const rows = await bench("small-works", "--quick", "--json", "--rounds", "1");
    expect(rows.map(({ contender, messages }) => [contender, messages])).toEqual([
      ["raw relay", 5_000],
      ["mesh", 5_000],
      ["NATS", 5_000],
    ]);
    expect(rows[1]?.["goals"]).toMatchObject([{ to: "NATS", least: 4 }]);
  });

  it("says which names there are where it is asked for another", async () => {
    await expect(bench("warp-speed")).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("one-way small-works round-trip bulk"),
    });
  });
});

describe("runMeasure", () => {
  it("leaves out round 0, and takes the median of the ratios of each round", async () => {
    const [raw, mesh] = await runMeasure(measureOf([1, 100, 10, 20], [1_000, 50, 9, 30]), 3);
    expect(raw).toMatchObject({ contender: "raw", median: 20, minimum: 10, maximum: 100, ratio: 1, messages: 3, bytes: 24, goals: [] });
    expect(mesh).toMatchObject({ contender: "mesh", median: 30, ratio: 0.9 });
    expect(mesh?.goals).toEqual([
      { contender: "mesh", value: "rate", to: "raw", least: 0.5, is: 0.9 },
      { contender: "mesh", value: "rate", least: 20, is: 30 },
    ]);
  });

  it("throws where the far end counted fewer than were sent", async () => {
    await expect(runMeasure(measureOf([1], [1], 0), 1)).rejects.toThrow("made-up, raw: 0 messages and 8 bytes arrived, of 1 and 8");
  });
});

describe("what the benchmark prints", () => {
  const rows = (): Promise<readonly Row[]> => runMeasure(measureOf([0, 100], [0, 60]), 1);

  it("has each figure with its ratio and its goals", async () => {
    const text = table(await rows());
    expect(text).toContain("made-up: figures <made up>");
    expect(text).toMatch(/ {2}mesh +60\.0 messages\/s +x0\.600 +goal: at least 0\.50x raw, is 0\.60x; goal: at least 20\.0$/m);
  });

  it("is drawn with bars in proportion, and text that is no markup", async () => {
    const svg = plot(await rows());
    expect([...svg.matchAll(/<rect x="190" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width))).toEqual([300, 180]);
    expect(svg).toContain("figures &lt;made up>");
  });
});
