import { describe, expect, it } from "vitest";
import { type Stranger, Strangers } from "../../../src/core/strangers.ts";

function stranger(address: string, since: number, closed: string[] = []): Stranger {
  return { address, since, close: () => void closed.push(`${address} ${since}`) };
}

describe("Strangers", () => {
  it("counts 64 in all and 8 from one address", () => {
    const strangers = new Strangers();
    for (let i = 0; i < 8; i++) expect(strangers.enter(stranger("10.0.0.1", 0))).toBe(true);
    expect(strangers.enter(stranger("10.0.0.1", 0))).toBe(false);
    for (let i = 0; i < 56; i++) expect(strangers.enter(stranger(`10.0.1.${i}`, 0))).toBe(true);
    expect(strangers.enter(stranger("10.0.2.1", 0))).toBe(false);
    expect(strangers.total).toBe(64);
  });

  it("lets the next one in when one has left, and forgets addresses", () => {
    const strangers = new Strangers(2, 1);
    const first = stranger("a", 0);
    strangers.enter(first);
    expect(strangers.mayEnter(0, "a")).toBe(false);
    strangers.leave(first);
    strangers.leave(first);
    strangers.leave(stranger("never", 0));
    expect(strangers.total).toBe(0);
    expect(strangers.enter(stranger("a", 0))).toBe(true);
  });

  it("closes the oldest that had its time for one who comes later", () => {
    const closed: string[] = [];
    const strangers = new Strangers(2, 2);
    strangers.enter(stranger("a", 0, closed));
    strangers.enter(stranger("b", 100, closed));
    expect(strangers.enter(stranger("c", 499, closed))).toBe(false);
    expect(strangers.enter(stranger("c", 500, closed))).toBe(true);
    expect(closed).toEqual(["a 0"]);
    expect(strangers.total).toBe(2);
  });

  it("closes only one of the same address where that is what is full", () => {
    const closed: string[] = [];
    const strangers = new Strangers(10, 1);
    strangers.enter(stranger("a", 0, closed));
    strangers.enter(stranger("b", 1, closed));
    expect(strangers.enter(stranger("b", 1_000, closed))).toBe(true);
    expect(closed).toEqual(["b 1"]);
  });
});
