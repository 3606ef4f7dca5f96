import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { runBatch } from "./batch.ts";
import { REGRESSIONS } from "./regressions.ts";
import { run } from "./run.ts";

// Fixed seeds. What fails is replayed, with its story, by `npm run sim -- --seed SEED --nodes NODES --mode MODE`.
const SEEDS = 600;
const LIES = 60;
const SEALED = 60;
const HOSTILE = 40;

describe("a mesh under every fault", () => {
  it(`keeps its promises over ${SEEDS} seeds of 5 to 20 nodes`, async () => {
    const report = await runBatch({ first: 1, count: SEEDS, fewest: 5, most: 20, modes: ["safety", "liveness"], jobs: 2 }, () => undefined);
    expect(report.failed).toEqual([]);
    expect(report.runs).toBe(SEEDS);
    // The faults are such that all this comes about.
    for (const ending of ["succeeded", "EXPIRED", "BUSY", "CANCELLED", "WORK_INTERRUPTED", "STORE_FULL", "RESPONSES_GONE"])
      expect(report.endings.get(ending), ending).toBeGreaterThan(0);
  });

  it(`believes no liar among its members, over ${LIES} seeds of a mesh with an authority`, async () => {
    const report = await runBatch({ first: 1, count: LIES, fewest: 5, most: 20, modes: ["lies"], jobs: 2 }, () => undefined);
    expect(report.failed).toEqual([]);
    expect(report.runs).toBe(LIES);
  });

  it(`keeps them where what its nodes say to each other is sealed, over ${SEALED} seeds`, async () => {
    const modes = ["sealed", "sealed-liveness"] as const;
    const report = await runBatch({ first: 1, count: SEALED, fewest: 5, most: 20, modes, jobs: 2 }, () => undefined);
    expect(report.failed).toEqual([]);
    expect(report.runs).toBe(SEALED);
    expect(report.endings.get("succeeded")).toBeGreaterThan(20 * SEALED);
  });

  it(`keeps them among hostile members, over ${HOSTILE} seeds of a mesh that seals`, async () => {
    const report = await runBatch({ first: 1, count: HOSTILE, fewest: 5, most: 20, modes: ["hostile"], jobs: 2 }, () => undefined);
    expect(report.failed).toEqual([]);
    expect(report.runs).toBe(HOSTILE);
    expect(report.endings.get("succeeded")).toBeGreaterThan(20 * HOSTILE);
  });

  it.each(REGRESSIONS)("keeps a promise that seed $seed once broke: $what", ({ seed, nodes, mode }) => {
    expect(run({ seed, nodes, mode }).wrong).toEqual([]);
  });

  it("finds every pair's shortest path again within bounds in a mesh of 50 nodes", () => {
    for (const seed of [1, 2]) expect(run({ seed, nodes: 50, mode: "liveness" }).wrong, `seed ${seed}`).toEqual([]);
  });
});

describe("run", () => {
  it("tells one story for one seed, and others for others", () => {
    const hashOf = (seed: number): string => {
      const { story } = run({ seed, nodes: 8, mode: "safety", story: true });
      expect(story.length).toBeGreaterThan(60);
      return createHash("sha256").update(story.join("\n")).digest("hex");
    };
    expect(hashOf(77)).toBe(hashOf(77));
    expect(hashOf(78)).not.toBe(hashOf(77));
  });

  it("has liars in a mesh with an authority, who tell lies", () => {
    const told = Array.from({ length: 10 }, (_, seed) => run({ seed, nodes: 10, mode: "lies", story: true }).story).flatMap((story) =>
      story.flatMap((line) => / told (\d+) lies$/.exec(line)?.[1] ?? []),
    );
    expect(told).toHaveLength(10);
    expect(told.reduce((sum, count) => sum + Number(count), 0)).toBeGreaterThan(100);
  });

  it("has hostile members, each of whose ways is refused and counted", () => {
    const refused = Array.from({ length: 12 }, (_, i) => run({ seed: 200 + i, nodes: 10, mode: "hostile" }).refused);
    for (const why of ["plain", "sender", "text", "session", "bad body"])
      expect(
        refused.some((counts) => (counts.get(why) ?? 0) > 0),
        why,
      ).toBe(true);
  });

  it("has something to tell: every fault strikes, messages wait, works run", () => {
    const stories = Array.from({ length: 20 }, (_, seed) => seed).flatMap(
      (seed) => run({ seed, nodes: 10, mode: "safety", story: true }).story,
    );
    const faults = [/ crashes/, / loses its disk/, / stops$/, / stands still$/, / reset$/, / silent$/, / is full$/, / fails$/];
    for (const what of [...faults, / runs /, / parked at /, / cancels /, / attaches to /, / succeeded$/, / EXPIRED$/])
      expect(
        stories.some((line) => what.test(line)),
        String(what),
      ).toBe(true);
  });
});
