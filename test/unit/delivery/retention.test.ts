import { describe, expect, it } from "vitest";
import { type MessageId, nodeId } from "../../../src/core/ids.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { RESTS, type Rested } from "../../../src/delivery/destination/archive.ts";
import { counterOf, laneOf } from "../../../src/delivery/message-ids.ts";
import { type Kept, Retention } from "../../../src/delivery/destination/retention.ts";

const ID = (n: number, lane = 0) =>
  `${lane.toString(16).padStart(8, "0")}-0000-8000-8000-0000${n.toString(16).padStart(8, "0")}` as MessageId;

function ended(n: number, lane = 0): Kept {
  const id = ID(n, lane);
  return { id, lane: laneOf(id), counter: counterOf(id), keptUntil: undefined, keptBytes: 0, keptBefore: undefined, keptAfter: undefined };
}

/** Streams of more than `RESTS` bytes are only said to be so long. */
function rested(n: number, length: number): Rested {
  const start = n % 50;
  const bytes = length > RESTS ? new Uint8Array(0) : new Uint8Array(start + length).fill(n % 251, start);
  const stream = { bytes, start, length };
  return {
    sender: nodeId(`node-${n}`),
    originHigh: 0xffff_fff0 + (n & 15),
    originLow: n,
    hold: n % 2 === 0,
    responses: n,
    generation: n,
    stream,
  };
}

/** What can be compared: where the bytes of the stream lie is not. */
function contents(work: Rested | undefined): unknown {
  if (work === undefined) return undefined;
  const { bytes, start, length } = work.stream;
  return { ...work, stream: Buffer.from(bytes.subarray(start, start + length)).toString("hex") };
}

/** A retention, and what it has dropped so far. */
function retain(life = 1_000): { retention: Retention<Kept>; dropped: MessageId[] } {
  const dropped: MessageId[] = [];
  return { retention: new Retention<Kept>(life, ({ id }) => void dropped.push(id)), dropped };
}

describe("Retention", () => {
  it("keeps for a time", () => {
    const { retention, dropped } = retain();
    retention.keep(0, ended(1), 10);
    retention.keep(500, ended(2), 10);
    expect(retention.nextWake()).toBe(1_000);
    retention.wake(1_000);
    expect(dropped).toEqual([ID(1)]);
    retention.wake(1_500);
    expect(dropped).toEqual([ID(1), ID(2)]);
    expect(retention.nextWake()).toBeUndefined();
  });

  it("keeps within a sum of bytes, as they are now, and drops the oldest first", () => {
    const { retention, dropped } = retain();
    const third = Math.floor(LIMITS.retained / 3);
    const works = [1, 2, 3, 4, 5, 6].map((n) => ended(n));
    for (const work of works.slice(0, 3)) retention.keep(0, work, third);
    retention.resize(works[2] as Kept, 0);
    retention.keep(0, works[3] as Kept, third);
    expect(dropped).toEqual([]);
    retention.keep(0, works[4] as Kept, third);
    expect(dropped.splice(0)).toEqual([ID(1)]);
    retention.keep(0, works[5] as Kept, 2 * LIMITS.retained);
    expect(dropped).toEqual([ID(2), ID(3), ID(4), ID(5)]);
  });

  it("drops the oldest first, whether it rests or not, within the number and the bytes of both", () => {
    const { retention, dropped } = retain();
    const [first, second, third] = [ended(1), ended(2), ended(3)];
    retention.keep(0, first, 10);
    retention.keep(1, second, LIMITS.retained / 2);
    retention.rest(second, rested(2, LIMITS.retained / 2));
    retention.keep(2, third, LIMITS.retained - 200_000);
    expect(dropped).toEqual([ID(1)]);
    expect(retention.archive.size).toBe(0);
    for (let n = 1; n < 100_000; n++) {
      const work = ended(n, 1);
      retention.keep(3, work, 1);
      retention.rest(work, rested(n, 1));
    }
    expect(dropped).toEqual([ID(1)]);
    retention.keep(4, ended(4), 1);
    expect(dropped).toEqual([ID(1), ID(3)]);
    retention.keep(4, ended(5), 1);
    expect(retention.archive.size).toBe(99_998);
    expect(retention.archive.has(ID(1, 1))).toBe(false);
    expect(retention.archive.has(ID(2, 1))).toBe(true);
  });

  it("keeps what rests as long as it would have been kept otherwise, and what is followed again no longer", () => {
    const { retention, dropped } = retain();
    const works = [1, 2, 3].map((n) => ended(n));
    works.forEach((work, i) => retention.keep(100 * i, work, 10));
    for (const [i, work] of works.entries()) retention.rest(work, rested(i + 1, 10));
    expect(retention.nextWake()).toBe(1_000);
    const late = ended(9);
    retention.keep(150, late, 10);
    const again = ended(2);
    retention.resume(again, 10);
    expect(retention.archive.has(ID(2))).toBe(false);
    retention.wake(1_000);
    expect([retention.archive.has(ID(1)), retention.nextWake()]).toEqual([false, 1_100]);
    retention.wake(1_150);
    expect(dropped).toEqual([ID(2), ID(9)]);
    expect(retention.nextWake()).toBe(1_200);
    retention.wake(1_200);
    expect([retention.archive.size, retention.archive.held, retention.nextWake()]).toEqual([0, 0, undefined]);
  });
});

describe("Archive", () => {
  it("gives back what it was given, also of other lanes, and when older pages are gone", () => {
    const { retention } = retain();
    for (let n = 1; n <= 3_000; n++) {
      const work = ended(n, n % 3);
      retention.keep(n, work, n);
      retention.rest(work, rested(n & 0xffff, n));
    }
    const { archive } = retention;
    for (const n of [1, 2, 3, 1_024, 1_025, 2_048, 3_000]) expect(contents(archive.get(ID(n, n % 3)))).toEqual(contents(rested(n, n)));
    expect(archive.get(ID(1, 2))).toBeUndefined();
    expect(archive.get(ID(1, 9))).toBeUndefined();
    retention.wake(1_000 + 2_500);
    expect([archive.size, archive.has(ID(2_500, 1)), archive.has(ID(2_501, 2))]).toEqual([500, false, true]);
    expect(contents(archive.get(ID(3_000, 0)))).toEqual(contents(rested(3_000, 3_000)));
    // One that is taken out of the middle leaves no gap that anybody trips over.
    const again = ended(2_700, 0);
    retention.resume(again, 1);
    expect([again.keptUntil, archive.get(ID(2_700, 0))]).toEqual([3_700, undefined]);
    retention.wake(1_000 + 3_000);
    expect([archive.size, archive.held]).toEqual([0, 0]);
  });

  it("gives back each as it came to rest, where works that follow each other differ in one thing only", () => {
    const { retention } = retain();
    const [one, other] = [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), Uint8Array.of(11, 12, 13, 14, 15, 16, 17, 18)];
    const first: Rested = { ...rested(1, 4), stream: { bytes: one, start: 0, length: 4 } };
    const works: readonly (readonly [Kept, Rested])[] = [
      [ended(1), first],
      [ended(2), first],
      [ended(3), { ...first, sender: nodeId("another") }],
      [ended(4), { ...first, sender: nodeId("another"), originHigh: 5 }],
      [ended(5), { ...first, sender: nodeId("another"), originHigh: 5, originLow: 6 }],
      [ended(6), { ...first, sender: nodeId("another"), originHigh: 5, originLow: 6, stream: { bytes: other, start: 4, length: 4 } }],
      [ended(7, 1), { ...first, sender: nodeId("another"), originHigh: 5, originLow: 6, stream: { bytes: other, start: 4, length: 4 } }],
      [ended(8), first],
    ];
    for (const [work, what] of works) {
      retention.keep(0, work, 4);
      retention.rest(work, what);
    }
    for (const [{ id }, what] of works) {
      expect(contents(retention.archive.get(id))).toEqual(contents(what));
    }
    for (const [{ id }] of works) retention.archive.take(id);
    for (const [{ id }] of works) expect(retention.archive.has(id)).toBe(false);
    expect([retention.archive.size, retention.archive.held]).toEqual([0, 0]);
  });

  it("keeps each stream as it was, while the memory of those that are gone is used for others", () => {
    const { retention } = retain();
    const { archive } = retention;
    const length = (n: number): number => (n % 100 === 0 ? RESTS : n % 401);
    const add = (n: number): void => {
      const work = ended(n);
      retention.keep(n, work, length(n));
      retention.rest(work, rested(n, length(n)));
    };
    for (let n = 1; n <= 1_100; n++) add(n);
    const early = archive.get(ID(500));
    const before = contents(early);
    for (let n = 1_101; n <= 6_000; n++) {
      retention.wake(n);
      add(n);
    }
    expect([archive.size, archive.has(ID(5_000)), contents(early)]).toEqual([1_000, false, before]);
    for (let n = 5_001; n <= 6_000; n++) expect(contents(archive.get(ID(n)))).toEqual(contents(rested(n, length(n))));
    expect(archive.reserved).toBeLessThan(3 * 1_024 * 400);
  });
});
