import { describe, expect, it } from "vitest";
import { OFFSET } from "../../../src/wire/frame.ts";
import { Bench, frameOf, numberOf } from "./park-bench.ts";

describe("ParkQueue.restore", () => {
  it("reads back what waited, in its order, and goes on numbering behind it", () => {
    const bench = new Bench();
    for (let n = 0; n < 1_500; n++) if (n < 900) bench.add(frameOf(n, "b"));
    bench.run();
    bench.restart();
    expect(bench.told.at(-1)).toBe("restored");
    expect(bench.park.messages).toBe(900);
    bench.add(frameOf(900, "b"));
    bench.run();
    bench.routes.add("b");
    bench.drain();
    bench.run(1_000);
    expect(bench.left.map(numberOf)).toEqual(Array.from({ length: 901 }, (_, n) => n));
  });

  it("counts the time that the node was off, and no clock makes a life longer", () => {
    for (const off of [0, 4_000, -3_600_000, 3_600_000]) {
      const bench = new Bench();
      bench.add(frameOf(1, "b", { ttl: 10_000 }));
      bench.run();
      bench.restart(off);
      const [parked] = [...bench.park.list()];
      const left = (parked?.expiresAt ?? Infinity) - bench.clock.now;
      expect(left).toBeLessThanOrEqual(10_000 - Math.max(0, Math.min(off, 10_000)));
      bench.restart();
      const again = ([...bench.park.list()][0]?.expiresAt ?? Infinity) - bench.clock.now;
      expect(again).toBeLessThanOrEqual(10_000);
    }
  });

  it("leaves out what is no record, and reports it", () => {
    const bench = new Bench();
    bench.store.write([{ type: "put", key: "park/00", value: new Uint8Array(9) }], () => undefined);
    bench.add(frameOf(1, "b"));
    bench.run();
    bench.restart();
    expect(bench.told.slice(-2)).toEqual(["lost 1 parked: without a place in a queue", "restored"]);
    expect(bench.park.messages).toBe(1);
  });

  it.each<[string, (value: Uint8Array, view: DataView) => Uint8Array | void, string]>([
    ["without any bytes", (value) => value.slice(0, 0), "shorter than a message"],
    ["cut within the frame's header", (value) => value.slice(0, 20), "shorter than a message"],
    ["cut within the body", (value) => value.slice(0, -1), "of another length than its message says"],
    ["of another kind of frame", (value) => void (value[8 + OFFSET.kind] = 19), "no message"],
    ["for another node", (_value, view) => view.setUint32(8 + OFFSET.destination, 7), "for another node than its key says"],
    ["without a time", (_value, view) => view.setFloat64(0, NaN), "without the time of its parking"],
  ])("reports a record %s, and sends on those around it, once each", (_what, change, why) => {
    const bench = new Bench();
    bench.addEach(1, 2, 3);
    const key = bench.keys()[1] ?? "";
    bench.store.get(key, (_error, value) => {
      const changed = value?.slice() ?? new Uint8Array(0);
      const result = change(changed, new DataView(changed.buffer)) ?? changed;
      bench.store.write([{ type: "put", key, value: result }], () => undefined);
    });
    bench.run();
    bench.restart();
    expect(bench.told.slice(-2)).toEqual([`lost 1 parked: ${why}`, "restored"]);
    expect(bench.park.messages).toBe(2);
    bench.add(frameOf(4, "b"));
    bench.run();
    bench.routes.add("b");
    bench.drain();
    expect(bench.left.map(numberOf)).toEqual([1, 3, 4]);
    expect(bench.told).not.toContain("gone");
  });

  it("does not bring back what was taken out of the middle of a record, whose rest goes on waiting", () => {
    const bench = new Bench();
    for (const n of [1, 2, 3]) bench.add(frameOf(n, "b", { ttl: n === 3 ? 500 : 60_000 }));
    bench.run();
    expect(bench.keys()).toHaveLength(1);
    const second = [...bench.park.list()][1];
    if (second !== undefined) bench.park.remove(second.id);
    bench.run(600);
    bench.park.wake(bench.clock.now, () => undefined);
    bench.run();
    for (let life = 0; life < 2; life++) {
      bench.restart();
      expect([...bench.park.list()].map(({ id }) => id.slice(-8))).toEqual(["00000001"]);
    }
    bench.routes.add("b");
    bench.drain();
    expect(bench.left.map(numberOf)).toEqual([1]);
    expect(bench.keys()).toEqual([]);
  });

  it("takes a record out of the store with the last message of it", () => {
    const bench = new Bench();
    for (const n of [1, 2, 3]) bench.add(frameOf(n, "b"));
    bench.run();
    for (const { id } of bench.park.list()) bench.park.remove(id);
    bench.run();
    expect(bench.keys()).toEqual([]);
  });

  it("leaves nothing behind of what was taken out while its record was leaving", () => {
    const bench = new Bench();
    for (const n of [1, 2, 3]) bench.add(frameOf(n, "b"));
    bench.run();
    bench.routes.add("b");
    const [, second] = [...bench.park.list()];
    bench.park.drainAll(
      (_parked, frame) => frame !== undefined && bench.left.push(frame.slice()),
      () => bench.clock.now,
    );
    bench.clock.runUntil(bench.clock.now + 3);
    if (second !== undefined) bench.park.remove(second.id);
    bench.run(50);
    expect(bench.left.map(numberOf)).toEqual([1, 3]);
    expect(bench.keys()).toEqual([]);
  });

  it("forgets what says that a message was taken out of a record that is gone", () => {
    const bench = new Bench();
    bench.store.write([{ type: "put", key: "park/0000000000000000/00000000007/01", value: new Uint8Array(0) }], () => undefined);
    bench.run();
    bench.restart();
    bench.run();
    expect(bench.told).toEqual(["restored"]);
    expect(bench.keys()).toEqual([]);
  });

  it("takes a message that the store would not delete before it came again for one", () => {
    const bench = new Bench();
    const first = bench.add(frameOf(1, "b"));
    bench.run();
    bench.store.fail("STORE_FULL");
    if (first.parked !== undefined) bench.park.remove(first.parked.id);
    bench.run();
    bench.store.fail(undefined);
    bench.add(frameOf(1, "b"));
    bench.run();
    bench.restart();
    expect(bench.told.filter((what) => what.startsWith("lost"))).toEqual([]);
    expect(bench.park.messages).toBe(1);
    bench.routes.add("b");
    bench.drain();
    expect(bench.left.map(numberOf)).toEqual([1]);
    bench.restart();
    expect(bench.park.messages).toBe(0);
  });
});
