import { describe, expect, it } from "vitest";
import { NOTHING, World } from "./world.ts";

interface Crash {
  readonly node: number;
  readonly task: number;
  readonly where: "before" | "after";
}

const TTL = 30_000;
/** How a message may end where its worker dies at any moment: but never by running out of time. */
const HONEST: ReadonlySet<string> = new Set(["succeeded", "BUSY", "WORK_INTERRUPTED", "RESPONSES_GONE"]);

/** a - x - b: messages of every kind while b is away, and again when it is there; then all settles. Returns how many store tasks each node had. */
function story(crash: Crash | undefined): {
  readonly wrong: readonly string[];
  readonly open: readonly string[];
  readonly tasks: readonly number[];
} {
  const world = new World({ seed: 4, nodes: 3, story: true, line: true });
  const { clock, nodes, ledger } = world;
  const [a, , b] = nodes;
  if (a === undefined || b === undefined) throw new Error("three nodes were asked for");
  const tasks = nodes.map(() => 0);
  for (const [i, node] of nodes.entries()) {
    node.onStoreTask = (where) => {
      if (where === "before") tasks[i] = (tasks[i] ?? 0) + 1;
      if (crash?.node !== i || crash.where !== where || crash.task !== tasks[i]) return;
      world.bereave(node, false);
      node.crash(false);
      clock.after(700, () => node.up || node.start());
    };
  }
  const send = (durable: boolean): void =>
    void world.sendFrom(a, b, { ...NOTHING, ttl: TTL, durable, bytes: 50, answers: [10], hold: false, slow: false, idempotent: false });
  for (const node of nodes) if (node !== b) clock.at(0, () => node.start());
  for (const durable of [true, false]) clock.at(2_000, () => send(durable));
  clock.at(6_000, () => b.start());
  for (const durable of [true, false]) clock.at(9_000, () => send(durable));
  clock.runUntil(9_000 + TTL + 10_000);
  world.checkOverdue();
  const open = [...ledger.sent.values()]
    .filter(({ ending, orphan }) => !orphan && !HONEST.has(ending ?? "open"))
    .map((sent) => `${ledger.name(sent)}: ${sent.ending ?? "open"}`);
  return { wrong: ledger.wrong, open, tasks };
}

describe("a crash at each await of the store", () => {
  const calm = story(undefined);

  it("has something to strike", () => {
    expect(calm.wrong).toEqual([]);
    expect(calm.open).toEqual([]);
    for (const count of calm.tasks) expect(count).toBeGreaterThan(5);
  });

  it.each(["a", "x", "b"])("of node %s, before and after it is done, loses nothing and runs nothing twice", (name) => {
    const node = ["a", "x", "b"].indexOf(name);
    for (let task = 1; task <= (calm.tasks[node] ?? 0); task++) {
      for (const where of ["before", "after"] as const) {
        const { wrong, open } = story({ node, task, where });
        expect({ wrong, open }, `${where} task ${task} of ${name}`).toEqual({ wrong: [], open: [] });
      }
    }
  });
});
