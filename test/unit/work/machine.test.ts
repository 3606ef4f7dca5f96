import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { MeshError } from "../../../src/core/errors.ts";
import { WORK_TIMES } from "../../../src/work/types.ts";
import { Bench, id, numbers, of, plugin } from "./harness.ts";

describe("WorkMachine, admission", () => {
  it("starts at once what there is room for, and queues the rest", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    expect(bench.request(1)).toEqual([
      { type: "accepted", id: id(1), state: "running" },
      { type: "start", id: id(1), plugin: "echo", action: "run", deadline: undefined },
      { type: "load", running: 1, queued: 0 },
    ]);
    expect(bench.request(2)).toEqual([
      { type: "accepted", id: id(2), state: "queued" },
      { type: "load", running: 1, queued: 1 },
    ]);
  });

  it("gives back what its owner holds of a work", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    const handle = {};
    const effects = bench.step({ type: "request", id: id(1), handle, sender: nodeId("a"), directive: "echo:run" });
    bench.step({ type: "cancel", id: id(1) });
    bench.ended(1);
    expect(bench.machine.get(id(1))).toBeUndefined();
    for (const type of ["accepted", "start", "abort", "ended"] as const)
      expect(of(bench.all, type).map((effect) => effect.handle === handle)).toEqual([true]);
    expect(effects).toHaveLength(3);
  });

  it("refuses with BUSY and the counts when the queue is full", () => {
    const bench = new Bench({ maxConcurrent: 1, queue: 1 });
    bench.request(1);
    bench.request(2);
    const [refused] = of(bench.request(3), "refused");
    expect(refused?.error.toJSON()).toEqual({
      code: "BUSY",
      message: 'node "x" has as much work as it takes: 1 running, 1 queued; try again later or another node',
      data: { running: 1, queued: 1 },
    });
  });

  it("takes work for a free slot although others fill the queue", () => {
    const bench = new Bench({ maxConcurrent: 4, queue: 1 }, [plugin("echo", { run: {} }, 1), plugin("shell", { run: {} })]);
    bench.request(1);
    bench.request(2);
    expect(numbers(bench.request(3, "echo:run"), "refused")).toEqual([3]);
    expect(numbers(bench.request(4, "shell:run"), "start")).toEqual([4]);
  });

  it("takes the care of the node itself although all slots and the queue are full, and while it drains; it is no load", () => {
    const care = { ...plugin("mesh", { status: {} }, 2), apart: true };
    const bench = new Bench({ maxConcurrent: 1, queue: 1 }, [plugin("echo", { run: {} }), care]);
    bench.request(1);
    bench.request(2);
    expect(bench.request(3, "mesh:status").map(({ type }) => type)).toEqual(["accepted", "start"]);
    bench.step({ type: "drain" });
    expect(bench.request(4, "mesh:status").map(({ type }) => type)).toEqual(["accepted", "start"]);
    bench.step({ type: "ended", id: id(3) });
    bench.step({ type: "ended", id: id(1) });
    expect(bench.machine.idle).toBe(true);
    expect(bench.machine.running).toBe(0);
  });

  it("takes what can begin at once where the queue has no place at all", () => {
    const bench = new Bench({ maxConcurrent: 1, queue: 0 });
    expect(numbers(bench.request(1), "start")).toEqual([1]);
    expect(numbers(bench.request(2), "refused")).toEqual([2]);
  });

  it.each([
    ["ech:run", "UNKNOWN_PLUGIN", 'node "x" has no plugin "ech"; it has echo, shell'],
    ["shel:run", "UNKNOWN_PLUGIN", 'node "x" has no plugin "shel"; it has shell, echo'],
    ["echo:rum", "UNKNOWN_ACTION", 'plugin "echo" on node "x" has no action "rum"; it has run'],
    ["echo", "INVALID_ARGUMENT", '"echo" is no directive: it looks like plugin:action, for example echo:run'],
    ["echo:run:more", "INVALID_ARGUMENT", '"echo:run:more" is no directive: it looks like plugin:action, for example echo:run'],
    ["\u001b[2J:run", "INVALID_ARGUMENT", '"\\u001b[2J:run" is no directive: it looks like plugin:action, for example echo:run'],
    ["__proto__:run", "INVALID_ARGUMENT", '"__proto__:run" is no directive: it looks like plugin:action, for example echo:run'],
    ["echo:__proto__", "UNKNOWN_ACTION", 'plugin "echo" on node "x" has no action "__proto__"; it has run'],
    ["constructor:run", "UNKNOWN_PLUGIN", undefined],
  ])("refuses %j with %s", (directive, code, message) => {
    const [refused] = of(new Bench().request(1, directive), "refused");
    expect(refused?.error.code).toBe(code);
    if (message !== undefined) expect(refused?.error.message).toBe(message);
  });

  it("says that a node has no plugin at all", () => {
    const [refused] = of(new Bench({}, []).request(1), "refused");
    expect(refused?.error.message).toBe('node "x" has no plugin "echo"; it has none');
  });

  it("ignores a request whose work it has already", () => {
    const bench = new Bench();
    bench.request(1);
    expect(bench.request(1)).toEqual([]);
  });
});

describe("WorkMachine, order", () => {
  it("begins queued works in the order in which they came, over all actions", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    bench.request(1, "echo:run");
    bench.request(2, "shell:run");
    bench.request(3, "echo:run");
    expect(numbers(bench.ended(1), "start")).toEqual([2]);
    expect(numbers(bench.ended(2), "start")).toEqual([3]);
  });

  it("lets works pass one whose plugin is at its limit", () => {
    const bench = new Bench({ maxConcurrent: 3 }, [plugin("echo", { run: {}, other: {} }, 1), plugin("shell", { run: {} })]);
    bench.request(1, "echo:run");
    expect(numbers(bench.request(2, "echo:other"), "start")).toEqual([]);
    expect(numbers(bench.request(3, "shell:run"), "start")).toEqual([3]);
    expect(numbers(bench.ended(1), "start")).toEqual([2]);
  });

  it("lets works pass one whose action is at its limit", () => {
    const bench = new Bench({ maxConcurrent: 3 }, [plugin("echo", { run: { concurrency: 1 }, other: {} })]);
    bench.request(1, "echo:run");
    expect(numbers(bench.request(2, "echo:run"), "start")).toEqual([]);
    expect(numbers(bench.request(3, "echo:other"), "start")).toEqual([3]);
  });

  it("never runs more than the node's limit", () => {
    const bench = new Bench({ maxConcurrent: 2 });
    for (let number = 1; number <= 5; number++) bench.request(number);
    expect(numbers(bench.all, "start")).toEqual([1, 2]);
    expect(bench.machine.running).toBe(2);
    expect(bench.machine.queued).toBe(3);
  });
});

describe("WorkMachine, the end", () => {
  it("says succeeded, failed with the error, and the exit code", () => {
    const bench = new Bench();
    bench.request(1);
    bench.request(2);
    const error = new MeshError("WORK_FAILED", "no");
    expect(of(bench.ended(1, { exitCode: 0 }), "ended")).toEqual([{ type: "ended", id: id(1), state: "succeeded", exitCode: 0 }]);
    expect(of(bench.ended(2, { error, exitCode: 7 }), "ended")).toEqual([
      { type: "ended", id: id(2), state: "failed", error, exitCode: 7 },
    ]);
    expect(bench.machine.idle).toBe(true);
    expect(bench.machine.get(id(1))).toBeUndefined();
  });

  it("ignores the end of a work that does not run", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    bench.request(1);
    bench.request(2);
    expect(bench.ended(2)).toEqual([]);
    bench.ended(1);
    expect(bench.ended(1)).toEqual([]);
    expect(bench.machine.running).toBe(1);
  });
});

describe("WorkMachine, cancel", () => {
  it("ends queued work at once", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    bench.request(1);
    bench.request(2);
    const [ended] = of(bench.step({ type: "cancel", id: id(2) }), "ended");
    expect(ended).toMatchObject({ id: id(2), state: "cancelled", error: { code: "CANCELLED" } });
  });

  it("aborts running work once, and ends it when its plugin does", () => {
    const bench = new Bench();
    bench.request(1);
    expect(of(bench.step({ type: "cancel", id: id(1) }), "abort")[0]?.error.code).toBe("CANCELLED");
    expect(bench.step({ type: "cancel", id: id(1) })).toEqual([]);
    const [ended] = of(bench.ended(1, { error: new MeshError("WORK_FAILED", "aborted") }), "ended");
    expect(ended).toMatchObject({ state: "cancelled", error: { code: "CANCELLED" } });
    expect(bench.machine.nextWake()).toBeUndefined();
  });

  it("says succeeded where the plugin had finished before it saw the abort", () => {
    const bench = new Bench();
    bench.request(1);
    bench.step({ type: "cancel", id: id(1) });
    expect(of(bench.ended(1), "ended")[0]?.state).toBe("succeeded");
  });

  it("ends a work whose plugin ignores the abort, once, and keeps its slot taken until the plugin stops", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    bench.request(1);
    bench.request(2);
    bench.step({ type: "cancel", id: id(1) });
    expect(bench.advance(WORK_TIMES.abort - 1)).toEqual([]);
    const effects = bench.advance(1);
    expect(of(effects, "ignores-abort")).toEqual([{ type: "ignores-abort", id: id(1), after: 5_000 }]);
    expect(of(effects, "ended")[0]).toMatchObject({ id: id(1), state: "cancelled" });
    expect(bench.machine.running).toBe(1);
    expect(numbers(effects, "start")).toEqual([]);
    expect(of(bench.request(1), "refused")[0]?.error.code).toBe("BUSY");
    const late = bench.ended(1);
    expect(of(late, "ended")).toEqual([]);
    expect(numbers(late, "start")).toEqual([2]);
  });
});

describe("WorkMachine, deadlines", () => {
  it("counts the sender's from acceptance, also while the work is queued", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    bench.request(1);
    bench.request(2, "echo:run", { deadline: 100 });
    expect(bench.advance(99)).toEqual([]);
    expect(of(bench.advance(1), "ended")[0]).toMatchObject({ id: id(2), state: "failed", error: { code: "DEADLINE_EXCEEDED" } });
  });

  it("counts the action's from the start", () => {
    const bench = new Bench({ maxConcurrent: 1 }, [plugin("echo", { run: { deadline: 50 } })]);
    bench.request(1);
    bench.now += 40;
    bench.request(2);
    bench.ended(1);
    expect(of(bench.all, "start").map((effect) => effect.deadline)).toEqual([1_050, 1_090]);
    expect(of(bench.advance(50), "abort")[0]?.error.code).toBe("DEADLINE_EXCEEDED");
    expect(of(bench.ended(2, { error: new MeshError("WORK_FAILED", "stopped") }), "ended")[0]).toMatchObject({
      state: "failed",
      error: { code: "DEADLINE_EXCEEDED" },
    });
  });

  it("takes the earlier of the two", () => {
    const bench = new Bench({}, [plugin("echo", { run: { deadline: 50 } })]);
    const [early] = of(bench.request(1, "echo:run", { deadline: 20 }), "start");
    const [late] = of(bench.request(2, "echo:run", { deadline: 80 }), "start");
    expect([early?.deadline, late?.deadline]).toEqual([1_020, 1_050]);
  });
});

describe("WorkMachine, hold", () => {
  it("begins held work only at its confirmation", () => {
    const bench = new Bench();
    expect(of(bench.request(1, "echo:run", { hold: true }), "accepted")[0]?.state).toBe("queued");
    expect(bench.machine.get(id(1))?.held).toBe(true);
    expect(numbers(bench.step({ type: "confirm", id: id(1) }), "start")).toEqual([1]);
    expect(bench.step({ type: "confirm", id: id(1) })).toEqual([]);
  });

  it("lets others pass held work, which keeps its place in the order", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    bench.request(1, "echo:run", { hold: true });
    expect(numbers(bench.request(2), "start")).toEqual([2]);
    bench.request(3);
    bench.step({ type: "confirm", id: id(1) });
    expect(numbers(bench.ended(2), "start")).toEqual([1]);
  });

  it("drops what is not confirmed in 30 s as cancelled", () => {
    const bench = new Bench();
    bench.request(1, "echo:run", { hold: true });
    expect(bench.advance(29_999)).toEqual([]);
    expect(of(bench.advance(1), "ended")[0]).toMatchObject({ id: id(1), state: "cancelled", error: { code: "CANCELLED" } });
    expect(bench.machine.idle).toBe(true);
  });

  it("is not dropped once it is confirmed", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    bench.request(1);
    bench.request(2, "echo:run", { hold: true });
    bench.step({ type: "confirm", id: id(2) });
    expect(bench.advance(60_000)).toEqual([]);
    expect(bench.machine.queued).toBe(1);
  });

  it("counts held work against the queue", () => {
    const bench = new Bench({ maxConcurrent: 1, queue: 1 });
    bench.request(1);
    bench.request(2, "echo:run", { hold: true });
    expect(numbers(bench.request(3, "echo:run", { hold: true }), "refused")).toEqual([3]);
  });

  it("may be held for a slot where the queue has no place at all", () => {
    const bench = new Bench({ maxConcurrent: 1, queue: 0 });
    expect(numbers(bench.request(1, "echo:run", { hold: true }), "accepted")).toEqual([1]);
    expect(numbers(bench.request(2, "echo:run", { hold: true }), "refused")).toEqual([2]);
  });
});

describe("WorkMachine, plugins", () => {
  it("fails queued work of a plugin that is gone, and lets running work end", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    bench.request(1);
    bench.request(2);
    bench.request(3, "shell:run");
    const effects = bench.step({ type: "plugins", plugins: [plugin("shell", { run: {} })] });
    expect(of(effects, "ended")).toMatchObject([{ id: id(2), state: "failed", error: { code: "UNKNOWN_PLUGIN" } }]);
    expect(numbers(bench.ended(1), "start")).toEqual([3]);
  });

  it("fails queued work of an action that is gone", () => {
    const bench = new Bench({ maxConcurrent: 1 }, [plugin("echo", { run: {}, old: {} })]);
    bench.request(1);
    bench.request(2, "echo:old");
    const effects = bench.step({ type: "plugins", plugins: [plugin("echo", { run: {} })] });
    expect(of(effects, "ended")[0]?.error?.code).toBe("UNKNOWN_ACTION");
  });

  it("begins queued work when a limit is raised", () => {
    const bench = new Bench({ maxConcurrent: 4 }, [plugin("echo", { run: {} }, 1)]);
    bench.request(1);
    bench.request(2);
    expect(numbers(bench.step({ type: "plugins", plugins: [plugin("echo", { run: {} }, 2)] }), "start")).toEqual([2]);
  });

  it("counts works of the old code against the limit of a plugin that went and came back", () => {
    const facts = plugin("echo", { run: {} }, 1);
    const bench = new Bench({ maxConcurrent: 4 }, [facts]);
    bench.request(1);
    bench.step({ type: "plugins", plugins: [] });
    bench.step({ type: "plugins", plugins: [facts] });
    expect(numbers(bench.request(2), "start")).toEqual([]);
    expect(numbers(bench.ended(1), "start")).toEqual([2]);
  });
});

describe("WorkMachine, drain", () => {
  it("gives back queued work, keeps running work, and refuses what comes", () => {
    const bench = new Bench({ maxConcurrent: 1 });
    bench.request(1);
    bench.request(2);
    bench.request(3, "echo:run", { hold: true });
    expect(of(bench.step({ type: "drain" }), "ended")).toMatchObject([
      { id: id(2), state: "cancelled", error: { code: "CLOSED" } },
      { id: id(3), state: "cancelled", error: { code: "CLOSED" } },
    ]);
    expect(of(bench.request(4), "refused")[0]?.error).toMatchObject({
      code: "CLOSED",
      message: 'node "x" is draining: it takes no new work',
    });
    expect(bench.machine.idle).toBe(false);
    expect(of(bench.ended(1), "ended")[0]?.state).toBe("succeeded");
    expect(bench.machine.idle).toBe(true);
  });
});
