import { Deletions } from "../../../src/delivery/records/deletions.ts";
import { StoreClock } from "../../../src/delivery/records/store-clock.ts";
import type { MeshError } from "../../../src/core/errors.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { ParkQueue, type ParkLimits } from "../../../src/delivery/parking/park-queue.ts";
import type { Parked } from "../../../src/delivery/parking/parked.ts";
import type { DeliveryPort } from "../../../src/delivery/ports.ts";
import { MemoryStore } from "../../../src/storage/memory-store.ts";
import type { Entry } from "../../../src/storage/store.ts";
import { FRAME, OFFSET, writeRoutedHeader } from "../../../src/wire/frame.ts";
import { VirtualClock } from "../../sim/clock.ts";

export const LIMITS: ParkLimits = { messages: 1_000, bytes: 1 << 20 };

/** A message number `n` for a node, as a frame. */
export function frameOf(n: number, to: string, options: { ttl?: number; size?: number } = {}): Uint8Array {
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

export const numberOf = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getUint32(OFFSET.id + 12);
export const ttlOf = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getUint32(OFFSET.ttl);

export class Bench {
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
    const keys: string[] = [];
    const take = (entries: readonly Entry[]): void => void keys.push(...entries.map(({ key }) => key));
    this.store.scan({ from: "park/", to: "park/~" }, take, () => undefined);
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
        scan: (range, take, done) => this.store.scan(range, take, done),
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
