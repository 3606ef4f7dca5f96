import { type MessageId, messageId, nodeId } from "../../../src/core/ids.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { Deletions } from "../../../src/delivery/records/deletions.ts";
import type { DeliveryPort } from "../../../src/delivery/ports.ts";
import { StoreClock } from "../../../src/delivery/records/store-clock.ts";
import type { Disk } from "../../../src/delivery/records/stored-records.ts";
import { MemoryStore } from "../../../src/storage/memory-store.ts";
import type { Entry } from "../../../src/storage/store.ts";
import { FRAME, OFFSET, writeRoutedHeader } from "../../../src/wire/frame.ts";
import { encodeMetadata, layMessage } from "../../../src/wire/message.ts";
import { writeMessageId } from "../../../src/wire/message-id.ts";

export const idOf = (n: number): MessageId => messageId(`0190163d-8694-739b-aea5-${n.toString(16).padStart(12, "0")}`);

/** A whole message from `a` to `b`. */
export function messageOf(n: number, to = "b", ttl = 60_000): Uint8Array {
  const body = { deadline: undefined, floor: 0, payload: Uint8Array.of(n & 0xff) };
  const frame = layMessage(encodeMetadata(nodeId("a"), "test:run", {}), body);
  const [source, destination] = [hashNodeId("a"), hashNodeId(to)];
  writeRoutedHeader(new DataView(frame.buffer), 0, frame.length, {
    kind: FRAME.message,
    flags: 0,
    hops: 0,
    destinationHigh: destination.high,
    destinationLow: destination.low,
    sourceHigh: source.high,
    sourceLow: source.low,
    ttl,
    auxiliary: 0,
  });
  writeMessageId(frame, OFFSET.id, idOf(n));
  return frame;
}

/** An imagined disk that answers when told to, and can be tampered with. */
export class BenchDisk {
  #tasks: (() => void)[] = [];
  store = new MemoryStore({ schedule: (task) => void this.#tasks.push(task) });
  wall = 1_000_000;
  readonly lost: string[] = [];

  /** What a room sees of it in another life, at time 0. */
  begin(): Disk {
    const part: Pick<DeliveryPort, "records" | "wallClock" | "markDirty"> = {
      records: this.store,
      wallClock: () => this.wall,
      markDirty: () => undefined,
    };
    const port = part as DeliveryPort;
    const clock = new StoreClock(port);
    clock.restore(
      () => 0,
      () => undefined,
    );
    this.run();
    clock.use(0);
    this.run();
    const onLost = (kind: string, count: number, why: string): void => void this.lost.push(`${count} ${kind}: ${why}`);
    return { port, clock, deletions: new Deletions(port), events: { onLost } };
  }

  /** Does what was asked for, and what that asks for. */
  run(): void {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) task();
  }

  put(key: string, value: Uint8Array): void {
    this.store.write([{ type: "put", key, value }], () => undefined);
    this.run();
  }

  get(key: string): Uint8Array {
    let found: Uint8Array | undefined;
    this.store.get(key, (_error, value) => (found = value));
    this.run();
    if (found === undefined) throw new RangeError(`nothing under ${key}`);
    return found.slice();
  }

  keys(): string[] {
    const keys: string[] = [];
    const take = (entries: readonly Entry[]): void => void keys.push(...entries.map(({ key }) => key));
    this.store.scan({ from: "", to: "~" }, take, () => undefined);
    this.run();
    return keys;
  }

  /** Changes bytes of a record, as no checksum would let them pass: another program wrote it. */
  tamper(key: string, change: (value: Uint8Array, view: DataView) => Uint8Array | void): void {
    const value = this.get(key);
    this.put(key, change(value, new DataView(value.buffer)) ?? value);
  }
}
