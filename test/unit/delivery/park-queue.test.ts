import { describe, expect, it } from "vitest";
import { FLAG, OFFSET } from "../../../src/wire/frame.ts";
import { Bench, frameOf, numberOf, ttlOf } from "./park-bench.ts";

describe("ParkQueue.add", () => {
  it("answers when the frame is on the disk, not before", () => {
    const bench = new Bench();
    const answer = bench.add(frameOf(1, "b"));
    expect(answer).toEqual({});
    expect(bench.store.count("park/")).toBe(0);
    bench.run();
    expect(answer.parked?.stored).toBe(true);
    expect(bench.store.count("park/")).toBe(1);
  });

  it("answers for a second copy at once where the first is on the disk, and not at all while it is being written", () => {
    const bench = new Bench();
    const first = bench.add(frameOf(1, "b"));
    const second = bench.add(frameOf(1, "b"));
    expect(second).toEqual({});
    bench.run();
    expect(second).toEqual({});
    expect(bench.add(frameOf(1, "b")).parked).toEqual(first.parked);
    expect(bench.park.messages).toBe(1);
    expect(bench.store.count("park/")).toBe(1);
  });

  it("answers for each copy that came while the first was being written, where the store refuses it", () => {
    const bench = new Bench();
    bench.store.fail("STORE_FULL");
    const answers = [bench.add(frameOf(1, "b")), bench.add(frameOf(1, "b"))];
    bench.run();
    expect(answers.map(({ error }) => error?.code)).toEqual(["STORE_FULL", "STORE_FULL"]);
    expect(bench.park.messages).toBe(0);
  });

  it("says nothing more of a message that was taken out while it was being written, where the store refuses it", () => {
    const bench = new Bench();
    bench.store.fail("STORE_FULL");
    const answers = [bench.add(frameOf(1, "b")), bench.add(frameOf(2, "b")), bench.add(frameOf(2, "b"))];
    for (const { id } of [...bench.park.list()].slice(1)) bench.park.remove(id);
    bench.run();
    expect(answers.map(({ error }) => error?.code)).toEqual(["STORE_FULL", undefined, undefined]);
  });

  it("refuses the newest with STORE_FULL past its number, its bytes and the share of one destination", () => {
    const byNumber = new Bench({ messages: 2, bytes: 1 << 20 });
    for (const n of [1, 2]) byNumber.add(frameOf(n, "b"));
    expect(byNumber.add(frameOf(3, "c")).error?.code).toBe("STORE_FULL");
    const byBytes = new Bench({ messages: 100, bytes: 150 });
    for (const n of [1, 2]) byBytes.add(frameOf(n, "b"));
    expect(byBytes.add(frameOf(3, "b")).error?.code).toBe("STORE_FULL");
    const byShare = new Bench({ messages: 4, bytes: 1 << 20, perDestination: 0.5 });
    for (const n of [1, 2]) byShare.add(frameOf(n, "b"));
    expect(byShare.add(frameOf(3, "b")).error?.code).toBe("STORE_FULL");
    expect(byShare.add(frameOf(4, "c")).error).toBeUndefined();
    expect(byShare.park.messages).toBe(3);
  });

  it("writes what comes in one tick for one destination together, up to 16 KiB a record", () => {
    const bench = new Bench();
    for (let n = 0; n < 10; n++) bench.add(frameOf(n, "b", { size: 4_096 }));
    for (let n = 10; n < 12; n++) bench.add(frameOf(n, "c"));
    bench.run();
    expect(bench.keys()).toHaveLength(4);
    bench.add(frameOf(12, "c"));
    bench.run();
    expect(bench.keys()).toHaveLength(5);
    expect(bench.told.filter((what) => what.startsWith("parked"))).toEqual(["parked 4", "parked 4", "parked 2", "parked 2", "parked 1"]);
  });

  it("gives back the room of what the store would not take, with the store's error", () => {
    const bench = new Bench();
    bench.store.fail("STORE_FULL");
    const answer = bench.add(frameOf(1, "b"));
    bench.run();
    expect(answer.error?.code).toBe("STORE_FULL");
    expect([bench.park.messages, bench.park.bytes]).toEqual([0, 0]);
  });
});

describe("ParkQueue.drain", () => {
  it("sends on what has a route, oldest first, in pages, and leaves the rest", () => {
    const bench = new Bench();
    for (let n = 0; n < 200; n++) bench.add(frameOf(n, n % 10 === 9 ? "c" : "b"));
    bench.run();
    bench.routes.add("b");
    bench.drain();
    bench.run(100);
    expect(bench.left.map(numberOf)).toEqual(Array.from({ length: 200 }, (_, n) => n).filter((n) => n % 10 !== 9));
    expect(bench.park.messages).toBe(20);
    expect(bench.store.count("park/")).toBe(1);
    expect([...bench.park.destinations()]).toHaveLength(1);
  });

  it("takes a message out of the store before it is sent on", () => {
    const bench = new Bench();
    bench.add(frameOf(1, "b"));
    bench.run();
    bench.routes.add("b");
    const sizes: number[] = [];
    bench.park.drainAll(
      () => sizes.push(bench.store.count("park/")),
      () => bench.clock.now,
    );
    bench.run();
    expect(sizes).toEqual([0]);
  });

  it("stops when the link fills, with the groups that are on their way out, and goes on when it has room", () => {
    const bench = new Bench({ messages: 1_000, bytes: 1 << 22 });
    for (let n = 0; n < 600; n++) bench.add(frameOf(n, "b", { size: 4_096 }));
    bench.run();
    bench.routes.add("b");
    bench.room = 70;
    bench.drain();
    bench.run(100);
    expect(bench.left.length).toBeGreaterThanOrEqual(70);
    expect(bench.left.length).toBeLessThanOrEqual(3 * 64);
    expect(bench.park.messages).toBe(600 - bench.left.length);
    bench.congested = false;
    bench.room = Infinity;
    bench.drain();
    bench.run(100);
    expect(bench.left.map(numberOf)).toEqual(Array.from({ length: 600 }, (_, n) => n));
  });

  it("writes the remaining time to live into the frame, and whether its origin has left it here", () => {
    const bench = new Bench();
    const answer = bench.add(frameOf(1, "b", { ttl: 10_000 }));
    bench.run(4_000);
    if (answer.parked !== undefined) bench.park.setCustody(answer.parked.id, true);
    bench.routes.add("b");
    bench.drain();
    const [frame] = bench.left;
    expect(ttlOf(frame ?? frameOf(0, "b"))).toBeLessThanOrEqual(6_000);
    expect(ttlOf(frame ?? frameOf(0, "b"))).toBeGreaterThan(5_900);
    expect(frame?.[OFFSET.flags]).toBe(FLAG.custody);
  });

  it("loses nothing when messages were taken out of the middle a moment before", () => {
    const bench = new Bench();
    for (let n = 0; n < 70; n++) bench.add(frameOf(n, "b"));
    bench.run();
    bench.routes.add("b");
    bench.writeDelay = 5;
    for (const parked of [...bench.park.list()].slice(5, 10)) bench.park.remove(parked.id);
    bench.drain();
    bench.run(100);
    expect(bench.told).not.toContain("STORE_CORRUPT");
    expect(bench.left).toHaveLength(65);
  });

  it("reports what the store has lost", () => {
    const bench = new Bench();
    bench.addEach(1, 2, 3);
    bench.store.write([{ type: "delete", key: bench.keys()[1] ?? "" }], () => undefined);
    bench.run();
    bench.routes.add("b");
    bench.drain();
    expect(bench.left.map(numberOf)).toEqual([1, 3]);
    expect(bench.told).toContain("lost 1 parked: unreadable when there was a way onward");
    expect(bench.told).toContain("gone");
  });

  it("does not send on what was removed while it was being read", () => {
    const bench = new Bench();
    const answer = bench.add(frameOf(1, "b"));
    bench.run();
    bench.routes.add("b");
    bench.park.drainAll(
      (_parked, frame) => frame !== undefined && bench.left.push(frame.slice()),
      () => bench.clock.now,
    );
    if (answer.parked !== undefined) bench.park.remove(answer.parked.id);
    bench.run();
    expect(bench.left).toEqual([]);
  });

  it("keeps everything when the store has trouble, and asks to be woken to try again", () => {
    const bench = new Bench();
    bench.add(frameOf(1, "b"));
    bench.run();
    bench.routes.add("b");
    bench.store.fail("STORE_FULL");
    bench.drain();
    expect(bench.left).toEqual([]);
    expect(bench.park.messages).toBe(1);
    bench.store.fail(undefined);
    const at = bench.park.nextWake() ?? Infinity;
    expect(at).toBeLessThan(bench.clock.now + 1_001);
    bench.run(at - bench.clock.now);
    bench.park.wake(bench.clock.now, () => undefined);
    expect(bench.park.ready).toBe(true);
    bench.drain();
    expect(bench.left.map(numberOf)).toEqual([1]);
  });
});

describe("ParkQueue.wake", () => {
  it("takes out what has run out of time, from the store too, and reports it", () => {
    const bench = new Bench();
    bench.add(frameOf(1, "b", { ttl: 500 }));
    bench.park.flush();
    bench.add(frameOf(2, "b", { ttl: 900 }));
    bench.run();
    expect(bench.park.nextWake()).toBe(500);
    bench.run(490);
    const dead: number[] = [];
    bench.park.wake(500, ({ id }) => dead.push(Number.parseInt(id.slice(-8), 16)));
    bench.run();
    expect(dead).toEqual([1]);
    expect(bench.told.filter((what) => what === "expired")).toHaveLength(1);
    expect(bench.store.count("park/")).toBe(1);
    expect(bench.park.nextWake()).toBe(900);
  });
});
