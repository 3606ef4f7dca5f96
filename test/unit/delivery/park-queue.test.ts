import { Deletions } from "../../../src/delivery/deletions.ts";
import { StoreClock } from "../../../src/delivery/store-clock.ts";
import { describe, expect, it } from "vitest";
import type { MeshError } from "../../../src/core/errors.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { ParkQueue, type ParkLimits } from "../../../src/delivery/park-queue.ts";
import type { Parked } from "../../../src/delivery/parked.ts";
import type { DeliveryPort } from "../../../src/delivery/ports.ts";
import { MemoryStore } from "../../../src/storage/memory-store.ts";
import { FLAG, FRAME, OFFSET, writeRoutedHeader } from "../../../src/wire/frame.ts";
import { VirtualClock } from "../../sim/clock.ts";

const LIMITS: ParkLimits = { messages: 1_000, bytes: 1 << 20 };

/** A message number `n` for a node, as a frame. */
function frameOf(n: number, to: string, options: { ttl?: number; size?: number } = {}): Uint8Array {
  const frame = new Uint8Array(options.size ?? 60);
  const view = new DataView(frame.buffer);
  const { high, low } = hashNodeId(to);
  writeRoutedHeader(view, 0, frame.length, {
    kind: FRAME.message,
    flags: 0,
    hops: 0,
    destinationHigh: high,
    destinationLow: low,
    sourceHigh: 1,
    sourceLow: 2,
    ttl: options.ttl ?? 60_000,
    auxiliary: 0,
  });
  view.setUint32(OFFSET.id + 12, n);
  return frame;
}

const numberOf = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getUint32(OFFSET.id + 12);
const ttlOf = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getUint32(OFFSET.ttl);

class Bench {
  readonly clock = new VirtualClock();
  store = new MemoryStore({ schedule: (task) => void this.clock.after(2, task) });
  wall = 1_000_000;
  routes = new Set<string>();
  congested = false;
  /** How much later than a read a write begins. */
  writeDelay = 0;
  /** Frames that a release takes before the link has no room. */
  room = Infinity;
  readonly left: Uint8Array[] = [];
  readonly told: string[] = [];
  park: ParkQueue;

  constructor(limits: ParkLimits = LIMITS) {
    this.park = this.#make(limits);
  }

  add(frame: Uint8Array): { error?: MeshError | undefined; parked?: Parked | undefined } {
    const answer: { error?: MeshError | undefined; parked?: Parked | undefined } = {};
    const refused = this.park.add(this.clock.now, frame, 0, frame.length, (error, { id }) =>
      Object.assign(answer, { error, parked: this.park.find(id) }),
    );
    return refused === undefined ? answer : { error: refused };
  }

  /** Each in a tick of its own, so in a record of its own. */
  addEach(...numbers: readonly number[]): void {
    for (const n of numbers) {
      this.add(frameOf(n, "b"));
      this.park.flush();
    }
    this.run();
  }

  keys(): readonly string[] {
    let keys: readonly string[] = [];
    this.store.scan({ from: "park/", to: "park/~", limit: Infinity }, (_error, entries) => (keys = entries.map(({ key }) => key)));
    this.run();
    return keys;
  }

  run(milliseconds = 10): void {
    this.park.flush();
    this.clock.runUntil(this.clock.now + milliseconds);
  }

  drain(): void {
    this.park.drainAll(
      (_parked, frame) => {
        if (frame === undefined) this.told.push("gone");
        else this.left.push(frame.slice());
        if (this.left.length >= this.room) this.congested = true;
      },
      () => this.clock.now,
    );
    this.run();
  }

  restart(off = 0): void {
    this.store = this.store.crash(() => 0);
    this.wall += off;
    this.park = this.#make(LIMITS);
    this.park.restore(this.clock.now, (error) => this.told.push(error === undefined ? "restored" : error.code));
    this.run();
  }

  #make(limits: ParkLimits): ParkQueue {
    const names = new Map(["b", "c"].map((name) => [hashNodeId(name).low, name]));
    const port: Pick<DeliveryPort, "hasRoute" | "congested" | "records" | "wallClock" | "markDirty"> = {
      hasRoute: (_high, low) => this.routes.has(names.get(low) ?? ""),
      congested: () => this.congested,
      records: {
        write: (operations, done) => {
          // A store copies before it returns.
          const copies = operations.map((operation) =>
            operation.type === "put" ? { ...operation, value: operation.value.slice() } : operation,
          );
          void this.clock.after(this.writeDelay, () => this.store.write(copies, done));
        },
        get: (key, done) => this.store.get(key, done),
        scan: (range, done) => this.store.scan(range, done),
      },
      wallClock: () => this.wall,
      markDirty: () => undefined,
    };
    const whole = port as DeliveryPort;
    const clock = new StoreClock(whole);
    clock.restore(
      () => this.clock.now,
      () => undefined,
    );
    return new ParkQueue(
      {
        port: whole,
        clock,
        deletions: new Deletions(whole),
        events: { onLost: (kind, count, why) => this.told.push(`lost ${count} ${kind}: ${why}`) },
      },
      {
        onParked: (_destination, messages) => this.told.push(`parked ${messages}`),
        onExpired: () => this.told.push("expired"),
        onTrouble: (error) => this.told.push(error.code),
      },
      limits,
      () => 7,
    );
  }
}

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
