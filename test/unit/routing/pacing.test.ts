import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { Damping } from "../../../src/routing/damping.ts";
import { Debounce } from "../../../src/routing/debounce.ts";
import { Hold } from "../../../src/routing/hold.ts";

describe("Hold", () => {
  it("lets the first through, holds the next 100 ms, doubles to the maximum in a storm, and forgives after quiet", () => {
    const hold = new Hold();
    const gaps: number[] = [];
    let now = 0;
    for (let i = 0; i < 12; i++) {
      const at = Math.max(now, hold.readyAt);
      gaps.push(at - now);
      now = at;
      hold.passed(now, 5_000);
    }
    expect(gaps).toEqual([0, 100, 100, 100, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    now += 10_000;
    hold.passed(now, 5_000);
    expect(hold.readyAt - now).toBe(100);
  });

  it("leaves alone what is a few hundred milliseconds apart", () => {
    const hold = new Hold();
    for (let now = 0; now < 10_000; now += 200) {
      expect(hold.readyAt).toBeLessThanOrEqual(now);
      hold.passed(now, 5_000);
    }
  });
});

describe("Debounce", () => {
  it("waits 50 ms, then 200 ms, then ever longer up to 5 s in a mesh of 10,000 nodes", () => {
    const debounce = new Debounce();
    const waits: number[] = [];
    let now = 10_000;
    for (let i = 0; i < 9; i++) {
      debounce.request(now, 10_000);
      waits.push((debounce.due ?? 0) - now);
      now = debounce.due ?? 0;
      debounce.ran(now, 10_000);
    }
    expect(waits).toEqual([50, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
    now += 20_000;
    debounce.request(now, 10_000);
    expect(debounce.due).toBe(now + 50);
  });

  it.each([
    [20_000, 5_000],
    [10_000, 5_000],
    [4_000, 2_000],
  ])("waits in a storm in a mesh of %i nodes at most %i ms", (nodes, most) => {
    const debounce = new Debounce();
    let now = 10_000;
    let longest = 0;
    for (let i = 0; i < 20; i++) {
      debounce.request(now, nodes);
      longest = Math.max(longest, (debounce.due ?? 0) - now);
      now = debounce.due ?? 0;
      debounce.ran(now, nodes);
    }
    expect(longest).toBe(most);
  });

  it("hardly waits in a small mesh, and not at all for this node's own links", () => {
    const debounce = new Debounce();
    debounce.request(1_000, 20);
    expect(debounce.due).toBe(1_001);
    debounce.urge(1_000, 20);
    expect(debounce.due).toBe(1_000);
  });
});

describe("Damping", () => {
  const peer = nodeId("p");

  it("suppresses at the third loss in a row, and ends once the penalty has halved", () => {
    const damping = new Damping();
    damping.lost(0, peer);
    damping.lost(0, peer);
    expect(damping.suppressed(0, peer)).toBe(false);
    damping.lost(0, peer);
    expect(damping.suppressed(0, peer)).toBe(true);
    expect(damping.reuseAt(peer)).toBeCloseTo(60_001, 0);
    expect(damping.suppressed(59_000, peer)).toBe(true);
    expect(damping.suppressed(60_001, peer)).toBe(false);
    expect(damping.reuseAt(peer)).toBeUndefined();
  });

  it("forgets losses that are far apart", () => {
    const damping = new Damping();
    for (let now = 0; now < 3_600_000; now += 120_000) {
      damping.lost(now, peer);
      expect(damping.suppressed(now, peer)).toBe(false);
    }
  });

  it("lasts 5 min at most", () => {
    const damping = new Damping();
    for (let i = 0; i < 1_000; i++) damping.lost(0, peer);
    expect(damping.suppressed(299_000, peer)).toBe(true);
    expect(damping.suppressed(300_001, peer)).toBe(false);
  });
});
