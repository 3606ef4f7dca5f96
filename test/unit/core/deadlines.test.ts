import { describe, expect, it } from "vitest";
import { Deadlines } from "../../../src/core/deadlines.ts";
import { seeded } from "../../sim/random.ts";

describe("Deadlines", () => {
  it("gives keys when they are due, the earliest first, as they were set last", () => {
    const deadlines = new Deadlines<string>();
    deadlines.set("a", 30);
    deadlines.set("b", 10);
    deadlines.set("c", 20);
    deadlines.set("b", 40);
    expect([deadlines.get("b"), deadlines.next(), deadlines.take(19)]).toEqual([40, 20, undefined]);
    expect([deadlines.take(100), deadlines.take(100), deadlines.take(100), deadlines.take(100)]).toEqual(["c", "a", "b", undefined]);
    expect([deadlines.size, deadlines.next()]).toEqual([0, undefined]);
  });

  it("holds nothing of what was taken back", () => {
    const deadlines = new Deadlines<number>();
    for (let key = 0; key < 1_000; key++) deadlines.set(key, key);
    for (let key = 0; key < 1_000; key++) if (key !== 500) deadlines.delete(key);
    deadlines.delete(7);
    expect([deadlines.size, deadlines.next(), deadlines.get(7)]).toEqual([1, 500, undefined]);
  });

  it("does what a list would, whatever is set, moved and taken back", () => {
    const random = seeded(7);
    const deadlines = new Deadlines<number>();
    const list = new Map<number, number>();
    for (let step = 0; step < 20_000; step++) {
      const key = Math.floor(random() * 60);
      const at = Math.floor(random() * 1_000);
      if (random() < 0.6) {
        deadlines.set(key, at);
        list.set(key, at);
      } else if (random() < 0.5) {
        deadlines.delete(key);
        list.delete(key);
      } else {
        const due = Math.min(...list.values());
        const taken = deadlines.take(at);
        if (due > at) expect(taken).toBeUndefined();
        else expect(list.get(taken ?? -1)).toBe(due);
        if (taken !== undefined) list.delete(taken);
      }
      expect(deadlines.next()).toBe(list.size === 0 ? undefined : Math.min(...list.values()));
      expect(deadlines.size).toBe(list.size);
    }
  });
});
