import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { WORK_TRANSITIONS } from "../../../src/work/states.ts";
import type { PluginFacts, WorkEffect } from "../../../src/work/types.ts";
import { Bench, id, of, plugin } from "./harness.ts";

const DIRECTIVES = ["a:x", "a:y", "b:x", "c:x", "a:nothing", "nothing:x", "no directive"] as const;
const LIMITS: Readonly<Record<string, number>> = { a: 3, "a:x": 2, "b:x": 1 };
const PLUGINS: readonly PluginFacts[] = [
  plugin("a", { x: { concurrency: 2 }, y: { deadline: 700 } }, 3),
  plugin("b", { x: { concurrency: 1 } }),
  plugin("c", { x: {} }),
];
const NODE_LIMIT = 4;
const QUEUE = 6;

const number = fc.integer({ min: 1, max: 40 });
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("request" as const),
      number,
      directive: fc.constantFrom(...DIRECTIVES),
      hold: fc.boolean(),
      deadline: fc.option(fc.integer({ min: 0, max: 2_000 })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("confirm" as const), number }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("cancel" as const), number }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("ended" as const), number, fails: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("advance" as const), by: fc.integer({ min: 0, max: 9_000 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("plugins" as const), mask: fc.integer({ min: 0, max: 7 }) }) },
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

/** What can be seen from outside, checked after every effect. */
class Watcher {
  readonly open = new Set<string>();
  readonly live = new Map<string, string>();
  load = { running: 0, queued: 0 };

  see(effects: readonly WorkEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "accepted":
          expect(this.open.has(effect.id)).toBe(false);
          this.open.add(effect.id);
          break;
        case "start":
          expect(this.open.has(effect.id)).toBe(true);
          this.live.set(effect.id, `${effect.plugin}:${effect.action}`);
          this.#bounded();
          break;
        case "ended":
          expect(this.open.delete(effect.id)).toBe(true);
          break;
        case "load":
          this.load = { running: effect.running, queued: effect.queued };
          break;
        case "abort":
        case "ignores-abort":
          expect(this.live.has(effect.id)).toBe(true);
          break;
        case "refused":
          break;
      }
    }
  }

  #bounded(): void {
    const counts = new Map<string, number>();
    for (const directive of this.live.values()) {
      for (const key of [directive, directive.slice(0, directive.indexOf(":"))]) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(this.live.size).toBeLessThanOrEqual(NODE_LIMIT);
    for (const [key, limit] of Object.entries(LIMITS)) expect(counts.get(key) ?? 0, key).toBeLessThanOrEqual(limit);
  }
}

function apply(bench: Bench, watcher: Watcher, given: Command): readonly WorkEffect[] {
  switch (given.type) {
    case "request":
      return bench.request(given.number, given.directive, {
        hold: given.hold,
        ...(given.deadline !== null && { deadline: given.deadline }),
      });
    case "advance":
      return bench.advance(given.by);
    case "plugins":
      return bench.step({ type: "plugins", plugins: PLUGINS.filter((_, i) => (given.mask & (1 << i)) !== 0) });
    case "ended":
      // Before the step, since it lets the next work begin.
      watcher.live.delete(id(given.number));
      return bench.ended(given.number, given.fails ? { error: new MeshError("WORK_FAILED", "no") } : {});
    default:
      return bench.step({ type: given.type, id: id(given.number) });
  }
}

describe("WorkMachine, whatever happens", () => {
  it("keeps its bounds, tells the load, and ends each accepted work exactly once", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
        const bench = new Bench({ maxConcurrent: NODE_LIMIT, queue: QUEUE }, PLUGINS);
        const watcher = new Watcher();
        for (const given of commands) {
          watcher.see(apply(bench, watcher, given));
          const { machine } = bench;
          expect(watcher.load).toEqual({ running: machine.running, queued: machine.queued });
          expect(machine.running).toBe(watcher.live.size);
          expect(machine.queued).toBeLessThanOrEqual(QUEUE + NODE_LIMIT);
          expect([...machine.list()].length).toBe(watcher.open.size);
          for (const view of machine.list())
            if (view.state === "queued" && !view.held) expectBlocked(watcher, `${view.plugin}:${view.action}`);
        }
        for (const work of [...bench.machine.list()]) watcher.see(bench.step({ type: "cancel", id: work.id }));
        watcher.see(bench.advance(6_000));
        expect(watcher.open.size).toBe(0);
        for (const live of [...watcher.live.keys()]) bench.ended(Number.parseInt(live.slice(-12), 16));
        expect(bench.machine.idle).toBe(true);
        expect(bench.machine.nextWake()).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it("begins the works of one action in the order of their acceptance", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("request", "end"), { maxLength: 60 }), (commands) => {
        const bench = new Bench({ maxConcurrent: 2 }, [plugin("a", { x: {} })]);
        let next = 1;
        for (const given of commands) {
          if (given === "request") bench.request(next++, "a:x");
          else
            for (const view of [...bench.machine.list()].filter((work) => work.state === "running").slice(-1))
              bench.step({ type: "ended", id: view.id });
        }
        const started = of(bench.all, "start").map((effect) => effect.id);
        expect(started).toEqual([...started].sort());
      }),
    );
  });
});

/** Nothing waits that could run: some limit that concerns it is reached. */
function expectBlocked(watcher: Watcher, directive: string): void {
  const plugin = directive.slice(0, directive.indexOf(":"));
  const running = [...watcher.live.values()];
  const full = (key: string, count: number): boolean => count >= (LIMITS[key] ?? Number.POSITIVE_INFINITY);
  const blocked =
    running.length >= NODE_LIMIT ||
    full(directive, running.filter((other) => other === directive).length) ||
    full(plugin, running.filter((other) => other.startsWith(`${plugin}:`)).length);
  expect(blocked, directive).toBe(true);
}

describe("WORK_TRANSITIONS", () => {
  it("leads out of no end", () => {
    for (const end of ["succeeded", "failed", "cancelled"] as const) {
      expect(Object.values(WORK_TRANSITIONS[end]).every((next) => next === undefined)).toBe(true);
    }
  });
});
