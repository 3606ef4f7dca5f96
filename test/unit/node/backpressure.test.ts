import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../src/core/limits.ts";
import { Backpressure } from "../../../src/node/engine/backpressure.ts";

const PATIENCE = 100;

class Neighbour {
  pauses = 0;
  readonly session = {
    queuedBytes: LIMITS.linkQueueHigh + 1,
    pauseInput: () => void this.pauses++,
    resumeInput: () => void this.pauses--,
  };
}

/** One whose queue is as full as makes its chunks a reason to read less. */
function full(): Neighbour {
  const neighbour = new Neighbour();
  neighbour.session.queuedBytes = LIMITS.linkQueueMax / 2;
  return neighbour;
}

describe("Backpressure", () => {
  it("reads no more from who brings messages for a full link, until that has room", () => {
    const backpressure = new Backpressure();
    const [from, to] = [new Neighbour(), new Neighbour()];
    backpressure.brought(0, from, to, "message");
    backpressure.brought(1, from, to, "message");
    expect([from.pauses, to.pauses]).toEqual([1, 0]);
    backpressure.release(to);
    expect(from.pauses).toBe(0);
    expect(backpressure.nextWake()).toBeUndefined();
  });

  it("keeps nobody waiting for long for what is carried, and not again before there was room", () => {
    const backpressure = new Backpressure();
    const [carrier, answerer, to] = [new Neighbour(), new Neighbour(), full()];
    backpressure.brought(0, carrier, to, "message");
    backpressure.brought(PATIENCE - 1, answerer, to, "other");
    expect(backpressure.nextWake()).toBe(PATIENCE);
    backpressure.wake(PATIENCE);
    expect([carrier.pauses, answerer.pauses]).toEqual([0, 0]);
    backpressure.brought(PATIENCE, carrier, to, "message");
    backpressure.brought(PATIENCE, answerer, to, "other");
    expect([carrier.pauses, answerer.pauses, backpressure.nextWake()]).toEqual([0, 0, undefined]);
    backpressure.release(to);
    backpressure.brought(5_000, carrier, to, "message");
    expect([carrier.pauses, backpressure.nextWake()]).toEqual([1, 5_000 + PATIENCE]);
  });

  it("keeps a neighbour waiting for its own messages for as long as it takes, whatever else it brought", () => {
    const backpressure = new Backpressure();
    const [greedy, to] = [new Neighbour(), full()];
    backpressure.brought(0, greedy, to, "other");
    backpressure.brought(0, greedy, to, "own");
    backpressure.brought(0, greedy, to, "message");
    backpressure.wake(PATIENCE);
    expect(greedy.pauses).toBe(1);
    backpressure.release(to);
    expect(greedy.pauses).toBe(0);
  });

  it("also where the time of others is over", () => {
    const backpressure = new Backpressure();
    const [greedy, other, to] = [new Neighbour(), new Neighbour(), new Neighbour()];
    backpressure.brought(0, other, to, "message");
    backpressure.wake(PATIENCE);
    backpressure.brought(PATIENCE, greedy, to, "own");
    expect([other.pauses, greedy.pauses]).toEqual([0, 1]);
  });

  it("takes chunks and receipts until half of what may wait does", () => {
    const backpressure = new Backpressure();
    const [from, to] = [new Neighbour(), new Neighbour()];
    backpressure.brought(0, from, to, "other");
    expect(from.pauses).toBe(0);
    to.session.queuedBytes = LIMITS.linkQueueMax / 2;
    backpressure.brought(0, from, to, "other");
    expect(from.pauses).toBe(1);
  });

  it("lets all go whom a link kept waiting that is gone, and forgets those that are gone", () => {
    const backpressure = new Backpressure();
    const [from, gone, to] = [new Neighbour(), new Neighbour(), new Neighbour()];
    backpressure.brought(0, from, to, "own");
    backpressure.brought(0, gone, to, "message");
    backpressure.forget(gone);
    backpressure.forget(to);
    expect([from.pauses, gone.pauses]).toEqual([0, 1]);
    expect(backpressure.nextWake()).toBeUndefined();
  });

  it("waits for each full link by itself", () => {
    const backpressure = new Backpressure();
    const [from, one, other] = [new Neighbour(), new Neighbour(), new Neighbour()];
    backpressure.brought(0, from, one, "message");
    backpressure.brought(50, from, other, "message");
    expect(from.pauses).toBe(2);
    backpressure.wake(PATIENCE);
    expect([from.pauses, backpressure.nextWake()]).toEqual([1, 50 + PATIENCE]);
    backpressure.release(other);
    expect(from.pauses).toBe(0);
  });
});
