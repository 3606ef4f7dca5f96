import { describe, expect, it } from "vitest";
import { ChurnMap } from "../../../src/core/churn-map.ts";
import { seeded } from "../../sim/random.ts";

describe("ChurnMap", () => {
  it("does what a map does, in its order, however much comes and goes", () => {
    const random = seeded(3);
    const map = new ChurnMap<number, number>();
    const plain = new Map<number, number>();
    for (let step = 0; step < 30_000; step++) {
      const key = Math.floor(random() * 400);
      if (random() < 0.55) {
        map.set(key, step);
        plain.set(key, step);
      } else {
        expect(map.delete(key)).toBe(plain.delete(key));
      }
      expect([map.size, map.get(key), map.has(key)]).toEqual([plain.size, plain.get(key), plain.has(key)]);
      if (step % 500 === 0) expect(map.values()).toEqual([...plain.values()]);
    }
  });

  it("gives its values as they are now: what changes meanwhile changes nothing", () => {
    const map = new ChurnMap<number, number>();
    for (let key = 0; key < 10; key++) map.set(key, key);
    let seen = 0;
    for (const value of map.values()) {
      seen++;
      map.delete(value);
      for (let other = 0; other < 500; other++) map.set(1_000 + other, other);
    }
    expect(seen).toBe(10);
    expect(map.size).toBe(500);
    map.clear();
    expect([map.size, map.get(1_000), map.values()]).toEqual([0, undefined, []]);
  });
});
