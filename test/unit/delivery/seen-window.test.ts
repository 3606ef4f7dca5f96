import { describe, expect, it } from "vitest";
import type { MessageId } from "../../../src/core/ids.ts";
import { seeded } from "../../sim/random.ts";
import { counterOf, type Issued, laneOf, MessageIds } from "../../../src/delivery/message-ids.ts";
import { SeenWindow } from "../../../src/delivery/destination/seen-window.ts";

let lanes = 0;
const randomBytes = (count: number): Uint8Array => new Uint8Array(count).fill(++lanes);
const id = (lane: number, counter: number): MessageId =>
  `${lane.toString(16).padStart(8, "0")}-0000-8000-8000-0000${counter.toString(16).padStart(8, "0")}` as MessageId;

describe("MessageIds", () => {
  it("counts up in one lane, whose ids are UUIDs of version 8", () => {
    const ids = new MessageIds(randomBytes);
    const [a, b] = [ids.next().id, ids.next().id];
    expect(a).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(laneOf(a)).toBe(laneOf(b));
    expect([counterOf(a), counterOf(b)]).toEqual([0, 1]);
  });

  it("raises the floor past all that has ended, but not past what has not", () => {
    const ids = new MessageIds(randomBytes);
    const made = Array.from({ length: 5 }, () => ids.next());
    ids.ended(made[1] as Issued);
    ids.ended(made[2] as Issued);
    expect(ids.next().floor).toBe(0);
    ids.ended(made[0] as Issued);
    expect(ids.next().floor).toBe(3);
    ids.ended(made[0] as Issued);
    expect(ids.next().floor).toBe(3);
  });

  it("knows what has ended of more messages than it looks at at once, in whatever order they end", () => {
    const ids = new MessageIds(randomBytes);
    const live = new Map<number, Issued>();
    const random = seeded(3);
    const wrong: number[] = [];
    for (let counter = 0; counter < 140_000; counter++) {
      const made = ids.next();
      const [oldest = counter] = live.keys();
      if (made.floor !== oldest || counterOf(made.id) !== counter) wrong.push(counter);
      live.set(counter, made);
      for (const [one, issued] of live) {
        if (live.size < 20) break;
        if (random() < 0.5) continue;
        live.delete(one);
        ids.ended(issued);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("opens another lane when the oldest message of one does not end", () => {
    const ids = new MessageIds(randomBytes);
    const first = ids.next();
    for (let i = 1; i < 65_536; i++) ids.ended(ids.next());
    const other = ids.next();
    expect(laneOf(other.id)).not.toBe(laneOf(first.id));
    expect(other.floor).toBe(0);
    ids.ended(first);
    expect(laneOf(ids.next().id)).toBe(laneOf(other.id));
  });
});

describe("SeenWindow", () => {
  it("takes an id once", () => {
    const seen = new SeenWindow();
    expect(seen.add(id(1, 7), 0, 1_000)).toBe(true);
    expect(seen.add(id(1, 7), 0, 1_000)).toBe(false);
    expect(seen.has(id(1, 7))).toBe(true);
    expect(seen.has(id(1, 8))).toBe(false);
    expect(seen.has(id(2, 7))).toBe(false);
    expect(seen.add(id(2, 7), 0, 1_000)).toBe(true);
  });

  it("keeps apart the ids of two senders under one lane, and asks of whom it is not told of anybody", () => {
    const seen = new SeenWindow();
    const [one, other] = [
      { high: 1, low: 2 },
      { high: 1, low: 3 },
    ];
    expect(seen.add(id(1, 7), 5, 1_000, one)).toBe(true);
    expect([seen.has(id(1, 7), one), seen.has(id(1, 7), other), seen.has(id(1, 3), other), seen.has(id(1, 7))]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(seen.add(id(1, 7), 0, 2_000, other)).toBe(true);
    expect(seen.add(id(1, 7), 0, 2_000, other)).toBe(false);
    seen.wake(661_000);
    expect([seen.has(id(1, 7), one), seen.has(id(1, 7), other)]).toEqual([false, true]);
    // Of one that is in the journal and cannot be read.
    seen.add(id(2, 7), 0, 1_000);
    expect([seen.has(id(2, 7), one), seen.has(id(2, 8), one)]).toEqual([true, false]);
  });

  it("knows everything below the floor as over, also what it never saw, and what lies beyond its span as no honest id", () => {
    const seen = new SeenWindow();
    seen.add(id(1, 100), 50, 1_000);
    expect(seen.has(id(1, 49))).toBe(true);
    expect(seen.add(id(1, 49), 50, 1_000)).toBe(false);
    expect(seen.add(id(1, 50), 50, 1_000)).toBe(true);
    expect(seen.add(id(1, 50 + (1 << 17)), 50, 1_000)).toBe(false);
    seen.add(id(1, 70_000), 60_000, 1_000);
    expect(seen.has(id(1, 100))).toBe(true);
    // A lower floor, of an older copy, takes nothing back.
    expect(seen.add(id(1, 200), 0, 1_000)).toBe(false);
  });

  it("remembers a lane until no copy of its last message can come any more, and then forgets it", () => {
    const seen = new SeenWindow();
    seen.add(id(1, 1), 0, 1_000);
    seen.add(id(1, 2), 0, 1_500);
    seen.wake(1_499);
    expect(seen.has(id(1, 1))).toBe(true);
    const at = seen.nextWake();
    expect(at).toBeGreaterThanOrEqual(1_500);
    seen.wake(at ?? 0);
    expect(seen.has(id(1, 1))).toBe(false);
    expect(seen.nextWake()).toBeUndefined();
  });

  it("remembers a lane for as long as its last message needs, where that came long after the first", () => {
    const seen = new SeenWindow();
    seen.add(id(1, 1), 0, 1_000);
    seen.add(id(1, 2), 0, 500_000);
    seen.wake(700_000);
    expect(seen.has(id(1, 2))).toBe(true);
    seen.wake(1_100_000);
    expect(seen.has(id(1, 2))).toBe(true);
  });

  it("holds at most 65,536 lanes; the one that is over first makes room", () => {
    const seen = new SeenWindow();
    for (let lane = 0; lane <= 65_536; lane++) seen.add(id(lane, 1), 0, 10_000 + (lane === 5 ? -5_000 : lane));
    expect(seen.has(id(5, 1))).toBe(false);
    expect(seen.has(id(0, 1))).toBe(true);
    expect(seen.has(id(65_536, 1))).toBe(true);
  });
});
