import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { Measure } from "../bench/measure.ts";
import { MEASURES } from "../bench/measures.ts";
import type { Row } from "../bench/run.ts";
import { runMeasure } from "../bench/run.ts";
import { plot } from "../bench/plot.ts";
import { natsServer } from "../bench/stage.ts";
import { table } from "../bench/table.ts";
import { COMMAND } from "../support/mesh.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

async function bench(...args: readonly string[]): Promise<readonly Record<string, unknown>[]> {
  const { stdout } = await run(process.execPath, ["--import", "tsx", "test/bench/main.ts", ...args], { cwd: ROOT, timeout: 390_000 });
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
// Without Debian's nats-server it leaves NATS out.
describe.skipIf(!existsSync(COMMAND))("the benchmark", () => {
  it("runs every measure, and counts every message and byte at the far end, for each contender", { timeout: 400_000 }, async () => {
    const rows = await bench("--quick", "--json");
    const counted = (measure: string): unknown[] =>
      rows.filter((row) => row["measure"] === measure).map(({ contender, messages, bytes }) => [contender, messages, bytes]);
    const nats = natsServer() === undefined ? [] : ["NATS"];
    expect(counted("one-way")).toEqual(["raw relay", "mesh", "mesh, awaited", ...nats].map((name) => [name, 100_000, 25_600_000]));
    expect(counted("small-works")).toEqual(["raw relay", "mesh", ...nats].map((name) => [name, 5_000, 1_280_000]));
    expect(new Set(rows.map(({ measure }) => measure))).toEqual(new Set(MEASURES.map((make) => make(true).name)));
    for (const row of rows) expect(Number.isFinite(row["median"]), JSON.stringify(row)).toBe(true);
    for (const make of MEASURES) {
      const { name, goals, units } = make(true);
      for (const { value } of goals) expect(Object.keys(units), name).toContain(value);
    }
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
    const measure = measureOf([1, 100, 10, 20], [1_000, 50, 9, 30]);
    const order: string[] = [];
    const [raw, mesh] = await runMeasure(
      {
        ...measure,
        contenders: async (stage) =>
          (await measure.contenders(stage)).map(({ name, run: go }) => ({
            name,
            run: (round: number) => {
              order.push(`${name} ${round}`);
              return go(round);
            },
          })),
      },
      3,
    );
    expect(order).toEqual([0, 1, 2, 3].flatMap((round) => [`raw ${round}`, `mesh ${round}`]));
    expect(raw).toMatchObject({ contender: "raw", median: 20, minimum: 10, maximum: 100, ratio: 1, messages: 3, bytes: 24, goals: [] });
    expect(mesh).toMatchObject({ contender: "mesh", median: 30, ratio: 0.9 });
    expect(mesh?.goals).toEqual([
      { contender: "mesh", value: "rate", to: "raw", least: 0.5, is: 0.9 },
      { contender: "mesh", value: "rate", least: 20, is: 30 },
    ]);
  });

  it("leaves out as many rounds as a measure wants before, and none where it wants none", async () => {
    const rounds = async (measure: Measure, asked: number): Promise<readonly number[]> => {
      const run: number[] = [];
      const [row] = await runMeasure(
        {
          ...measure,
          contenders: async (stage) =>
            (await measure.contenders(stage)).slice(0, 1).map(({ name, run: go }) => ({
              name,
              run: (round: number) => {
                run.push(round);
                return go(round);
              },
            })),
        },
        asked,
      );
      expect(row?.messages).toBe(asked);
      return run;
    };
    const measure = { ...measureOf([1], [1]), goals: [] };
    expect(await rounds({ ...measure, warm: 3 }, 1)).toEqual([-2, -1, 0, 1]);
    expect(await rounds({ ...measure, warm: 0 }, 2)).toEqual([1, 2]);
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
