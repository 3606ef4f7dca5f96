import { describe, expect, it } from "vitest";
import { type Stranger, Strangers } from "../../../src/core/strangers.ts";

function stranger(address: string, since: number, closed: string[] = [], spoke = true): Stranger {
  return { address, since, spoke: () => spoke, close: () => void closed.push(`${address} ${since}`) };
}

describe("Strangers", () => {
  it("counts 64 in all and 8 from one address", () => {
    const strangers = new Strangers();
    for (let i = 0; i < 8; i++) expect(strangers.enter(stranger("10.0.0.1", 0))).toBe(true);
    expect(strangers.enter(stranger("10.0.0.1", 0))).toBe(false);
    for (let i = 0; i < 56; i++) expect(strangers.enter(stranger(`10.0.${1 + (i % 7)}.1`, 0))).toBe(true);
    expect(strangers.enter(stranger("10.0.8.1", 0))).toBe(false);
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

  it("closes one that is silent for 20 ms for the next, and keeps those that have spoken", () => {
    const closed: string[] = [];
    const strangers = new Strangers(3, 3);
    strangers.enter(stranger("a", 0, closed));
    strangers.enter(stranger("a", 1, closed, false));
    strangers.enter(stranger("a", 2, closed, false));
    expect(strangers.enter(stranger("a", 20, closed))).toBe(false);
    expect(strangers.enter(stranger("a", 21, closed))).toBe(true);
    expect(strangers.enter(stranger("a", 22, closed))).toBe(true);
    expect(strangers.enter(stranger("a", 99, closed))).toBe(false);
    expect(closed).toEqual(["a 1", "a 2"]);
  });

  it("closes only one of the same address where that is what is full", () => {
    const closed: string[] = [];
    const strangers = new Strangers(10, 1);
    strangers.enter(stranger("a", 0, closed));
    strangers.enter(stranger("b", 1, closed));
    expect(strangers.enter(stranger("b", 1_000, closed))).toBe(true);
    expect(closed).toEqual(["b 1"]);
  });

  it("closes one of the address that has most where all places are taken", () => {
    const closed: string[] = [];
    const strangers = new Strangers(4, 3);
    strangers.enter(stranger("alone", 0, closed, false));
    for (const since of [1, 2, 3]) strangers.enter(stranger("crowd", since, closed, false));
    expect(strangers.enter(stranger("new", 24, closed))).toBe(true);
    expect(closed).toEqual(["crowd 1"]);
  });

  it("counts the IPv6 addresses of one network as one", () => {
    const strangers = new Strangers(10, 2);
    expect(strangers.enter(stranger("2001:db8:0:1::1", 0))).toBe(true);
    expect(strangers.enter(stranger("2001:db8:0:1:ffff::2", 0))).toBe(true);
    expect(strangers.enter(stranger("2001:db8:0:1:aaaa:bbbb:cccc:dddd", 0))).toBe(false);
    expect(strangers.enter(stranger("2001:db8:0:2::1", 0))).toBe(true);
    expect(strangers.enter(stranger("fe80::1%eth0", 0))).toBe(true);
    expect(strangers.enter(stranger("fe80::2%eth1", 0))).toBe(true);
    expect(strangers.enter(stranger("fe80::3", 0))).toBe(false);
    expect(strangers.enter(stranger("::1", 0))).toBe(true);
  });
});
