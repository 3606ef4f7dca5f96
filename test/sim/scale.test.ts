import { expect, it } from "vitest";
import { ScaleRun } from "./scale.ts";

it("100 nodes join, are cut in two halves, and heal: each time every table is right, within 30 s of virtual time", {
  timeout: 120_000,
}, () => {
  const run = new ScaleRun({ nodes: 100, seed: 1, joining: 2_000 });
  const phases = [run.join(), run.cut(), run.heal()];
  expect(run.wrong).toEqual([]);
  expect(phases.map(({ routes }) => routes)).toEqual([9_900, 4_900, 9_900]);
  // A silent link is given up after 15 s, and dialled again within 15.
  for (const { name, virtual, settling } of phases) {
    expect(virtual, name).toBeLessThan(30_000);
    // From the last link that comes up, or goes, to tables that are right.
    expect(settling, name).toBeLessThan(1_000);
  }
});

it("look says what is wrong with a table", () => {
  const run = new ScaleRun({ nodes: 12, seed: 1, joining: 500 });
  run.join();
  expect(run.wrong).toEqual([]);
  const cheaper = run.truth.without(() => true);
  const [a, b] = [...cheaper.links()][0] ?? [0, 1];
  cheaper.link(a, b, 0.01);
  expect(run.look(cheaper).wrong.join("\n")).toMatch(/the best is/);
  expect(run.look(run.truth.without((one, other) => one !== 0 && other !== 0)).wrong.join("\n")).toMatch(/which is cut off/);
});
