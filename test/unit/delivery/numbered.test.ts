import { describe, expect, it } from "vitest";
import { Numbered } from "../../../src/delivery/parking/numbered.ts";

describe("Numbered", () => {
  it("finds each thing by its number, and gives what is free again to another", () => {
    const things = new Numbered<string>();
    const [a, b, c] = ["a", "b", "c"].map((name) => things.add(name)) as [number, number, number];
    expect([a, b, c].map((number) => things.get(number))).toEqual(["a", "b", "c"]);
    things.remove(b);
    expect(things.get(b)).toBeUndefined();
    expect(things.size).toBe(2);
    expect(things.add("d")).toBe(b);
    expect([a, b, c].map((number) => things.get(number))).toEqual(["a", "d", "c"]);
  });

  it("begins anew when all are gone", () => {
    const things = new Numbered<number>();
    const numbers = Array.from({ length: 100 }, (_, i) => things.add(i));
    for (const number of numbers) things.remove(number);
    expect([things.size, things.add(7), things.get(0), things.get(1), things.get(-1)]).toEqual([0, 0, 7, undefined, undefined]);
  });
});
