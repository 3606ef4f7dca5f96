import { describe, expect, test } from "vitest";
import { seeded } from "../sim/random.ts";
import { account, broken, type Run } from "./account.ts";
import { randomGraph } from "./graph.ts";
import { slopePerHour } from "./slope.ts";
import type { Outcome, Sent } from "./traffic.ts";

describe("randomGraph", () => {
  test.each([2, 4, 10, 31])("connects %i nodes without double edges; node 0 only dials", (nodes) => {
    for (let seed = 1; seed <= 50; seed++) {
      const edges = randomGraph(seeded(seed), nodes, nodes);
      const keys = edges.map(({ from, to }) => `${Math.min(from, to)} ${Math.max(from, to)}`);
      expect(new Set(keys).size).toBe(edges.length);
      expect(edges.every(({ from, to }) => from !== to && to !== 0)).toBe(true);
      expect(edges.filter(({ from }) => from === 0).length).toBeGreaterThanOrEqual(Math.min(3, nodes - 1));
      const reached = new Set([0]);
      for (let before = -1; before !== reached.size; ) {
        before = reached.size;
        for (const { from, to } of edges) if (reached.has(from) || reached.has(to)) reached.add(from).add(to);
      }
      expect(reached.size).toBe(nodes);
    }
  });

  test("is the same from the same seed", () => {
    expect(randomGraph(seeded(7), 12, 6)).toEqual(randomGraph(seeded(7), 12, 6));
    expect(randomGraph(seeded(7), 12, 6)).not.toEqual(randomGraph(seeded(8), 12, 6));
  });
});

describe("slopePerHour", () => {
  test("is that of the line through the points", () => {
    const points = [0, 1, 2, 3].map((minute) => ({ at: minute * 60_000, value: 10 + 3 * minute + (minute % 2) }));
    expect(slopePerHour(points)).toBeCloseTo(3.2 * 60, 9);
  });

  test("is 0 where there is no line", () => {
    expect(slopePerHour([])).toBe(0);
    expect(slopePerHour([{ at: 5, value: 1 }])).toBe(0);
    expect(slopePerHour([1, 2].map((value) => ({ at: 5, value })))).toBe(0);
  });
});

describe("account", () => {
  const sent = (number: number, outcome: Outcome, why = ""): Sent => ({
    number,
    kind: "small",
    node: "n1",
    outcome,
    why,
    took: 1,
    way: "",
  });
  const runsOf = (numbers: readonly number[]): Run[] => numbers.map((number) => ({ number, line: `n1: ${number}` }));

  test("breaks no promise where each message ran at most once and its sender knows how it ended", () => {
    const messages = [
      sent(0, "done"),
      sent(1, "expired", "EXPIRED"),
      sent(2, "interrupted", "WORK_INTERRUPTED"),
      sent(3, "refused", "BUSY"),
    ];
    const told = account(messages, runsOf([0, 2]));
    expect(told).toMatchObject({ sent: 4, outcomes: { done: 1, expired: 1, interrupted: 1, refused: 1 }, errors: { BUSY: 1 } });
    expect(broken(told)).toEqual([]);
    expect(broken(account(messages, runsOf([0, 2]), new Set(["n1"])))).toEqual([
      expect.stringContaining("1 interrupted without a restart: #2"),
    ]);
  });

  test.each([
    ["lost", sent(0, "open"), []],
    ["lost", sent(0, "done"), []],
    ["run twice", sent(0, "done"), [0, 0]],
    ["run twice", sent(0, "expired", "EXPIRED"), [0, 0]],
    ["refused but run", sent(0, "refused", "NO_ROUTE"), [0]],
    ["ended wrongly", sent(0, "wrong", "x"), [0]],
    ["ended wrongly", sent(0, "failed", "INTERNAL"), []],
  ] as const)("names what was %s", (what, message, runs) => {
    const all = runsOf(runs);
    const lines = all.length > 1 ? all.map(({ line }) => line) : [];
    expect(broken(account([message], all))).toEqual([expect.stringContaining(`1 ${what}: #0 small to n1`), ...lines]);
  });
});
