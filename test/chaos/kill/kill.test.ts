import { describe, expect, test } from "vitest";
import type { Entry, Run } from "./ledger.ts";
import { runKills } from "./scenario.ts";
import { judge } from "./verdict.ts";

const sent = (id: string): Entry => ({ type: "sent", id, number: `number of ${id}` });
const ended = (id: string, outcome: string): Entry => ({ type: "end", id, outcome });
const ran = (id: string): Run => ({ id, number: `number of ${id}` });
const breaches = (ledger: readonly Entry[], stored: readonly string[], runs: readonly Run[]): readonly string[] =>
  judge(ledger, new Set(stored), runs).breaches;

describe("judge", () => {
  test("lets pass what ran once, what was interrupted, and what was never acknowledged", () => {
    const ledger = [
      sent("a"),
      { type: "accepted", id: "a" } as const,
      ended("a", "succeeded"),
      sent("b"),
      ended("b", "WORK_INTERRUPTED"),
      sent("c"),
      ended("c", "UNKNOWN_WORK"),
    ];
    expect(judge(ledger, new Set(["b"]), [ran("a")])).toMatchObject({ sent: 3, acknowledged: 2, ran: 1, breaches: [] });
  });

  test("names what ran twice, what was lost, and what was told wrong", () => {
    expect(breaches([sent("a"), ended("a", "succeeded")], [], [ran("a"), ran("a")])).toEqual(["number of a (a) ran twice"]);
    expect(breaches([sent("a")], ["a"], [])).toEqual(["a was acknowledged and has no end"]);
    expect(breaches([sent("a"), { type: "parked", id: "a", node: "relay" }, ended("a", "RESPONSES_GONE")], [], [])).toEqual([
      "a was acknowledged, ended as RESPONSES_GONE, and never ran",
    ]);
    expect(breaches([sent("a"), ended("a", "succeeded")], [], [])).toEqual(["a succeeded and never ran"]);
    expect(breaches([sent("a"), ended("a", "UNKNOWN_WORK")], [], [ran("a")])).toEqual(["a ended as UNKNOWN_WORK and ran"]);
    expect(breaches([sent("a"), ended("a", "EXPIRED"), ended("a", "succeeded")], [], [ran("a")])).toEqual([
      "a ended as EXPIRED, then as succeeded",
    ]);
  });
});

describe("kill -9 of origin, parking relay and destination under load", () => {
  test("loses nothing that was acknowledged, and runs nothing twice", async () => {
    const report = await runKills({ kills: 20, rate: 500, seed: 1 });
    expect(report.breaches).toEqual([]);
    expect(report.sent).toBeGreaterThan(500);
    expect(Object.values(report.kills).reduce((sum, kills) => sum + kills)).toBe(20);
  });
});
