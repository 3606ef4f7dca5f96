import { describe, expect, it } from "vitest";
import { Transit } from "../../../src/node/engine/transit.ts";

class Neighbour {
  pauses = 0;
  readonly session = { pauseInput: () => void this.pauses++, resumeInput: () => void this.pauses-- };
}

describe("Transit", () => {
  it("lets a neighbour through up to its rate, and reads it no further until it is within that again", () => {
    const transit = new Transit(1_000);
    const greedy = new Neighbour();
    expect(transit.carried(0, greedy, 1_000)).toBe(false);
    expect(transit.carried(0, greedy, 500)).toBe(true);
    expect(greedy.pauses).toBe(1);
    expect(transit.nextWake()).toBe(500);
    transit.wake(499);
    expect(greedy.pauses).toBe(1);
    transit.wake(500);
    expect(greedy.pauses).toBe(0);
  });

  it("counts what was read already before the pause, and pauses once for it", () => {
    const transit = new Transit(1_000);
    const greedy = new Neighbour();
    transit.carried(0, greedy, 2_000);
    transit.carried(0, greedy, 1_000);
    expect(greedy.pauses).toBe(1);
    expect(transit.nextWake()).toBe(2_000);
    transit.wake(2_000);
    expect(greedy.pauses).toBe(0);
  });

  it("holds nobody back for what another brings", () => {
    const transit = new Transit(1_000);
    const [greedy, modest] = [new Neighbour(), new Neighbour()];
    transit.carried(0, greedy, 100_000);
    expect(transit.carried(0, modest, 1_000)).toBe(false);
    expect([greedy.pauses, modest.pauses]).toEqual([1, 0]);
  });

  it("wakes nobody who is gone", () => {
    const transit = new Transit(1_000);
    const gone = new Neighbour();
    transit.carried(0, gone, 2_000);
    transit.forget(gone);
    expect(transit.nextWake()).toBeUndefined();
    transit.wake(10_000);
    expect(gone.pauses).toBe(1);
  });
});
