import { concat } from "../../../src/core/bytes.ts";
import { FRAME, OFFSET } from "../../../src/wire/frame.ts";
import { StoreClock } from "../../../src/delivery/records/store-clock.ts";
import type { DeliveryPort } from "../../../src/delivery/ports.ts";
import { beginLife, type Life, saveLife } from "../../../src/node/life.ts";
import { MemoryStore } from "../../../src/storage/memory-store.ts";
import { seal, unseal } from "../../../src/storage/record.ts";
import type { Store } from "../../../src/storage/store.ts";
import { Net, type Peer } from "../../unit/delivery/harness.ts";
import { type Case, text } from "../case.ts";

/** A record as it lies on the disk: its key, a zero, and the sealed value. */
export interface DiskRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

export function layRecord({ key, value }: DiskRecord): Uint8Array {
  return concat([text(key), Uint8Array.of(0), seal(key, value)]);
}

/** Throws where the checksum is wrong. */
export function readRecord(bytes: Uint8Array): DiskRecord {
  const zero = bytes.indexOf(0);
  const key = Buffer.from(bytes.subarray(0, zero)).toString("utf8");
  const value = unseal(key, new Uint8Array(bytes.subarray(zero + 1)));
  if (value === undefined) throw new RangeError(`the checksum of ${key} is wrong`);
  return { key, value: value.slice() };
}

/** What a node writes in some situation, and what its next life does of it. */
interface Situation {
  readonly name: string;
  readonly means: string;
  readonly prefix: string;
  readonly value: unknown;
  /** Whose disk it is. */
  readonly at: "a" | "b" | "x";
  prepare(net: Net): void;
  /** After the restart of a mesh in which nobody but the disk knows of the message. */
  deed(net: Net, node: Peer): unknown;
}

const SITUATIONS: readonly Situation[] = [
  {
    name: "outbox",
    means: "the origin's copy of a durable message",
    prefix: "outbox/",
    value: { requests: ["test:run 1,2,3"], flags: 3, ttl: 60 },
    at: "a",
    prepare: (net) => {
      net.cut.add("a>b");
      net.node("a").send("b", { durable: true });
    },
    deed: (net) => {
      const copy = net.over("a>b", FRAME.message)[0];
      return { requests: requests(net.node("b")), flags: copy?.flags, ttl: seconds(copy?.ttl) };
    },
  },
  {
    name: "journal",
    means: "a durable message that was begun and has not ended",
    prefix: "journal/",
    value: ["test:run 1,2,3"],
    at: "b",
    prepare: (net) => {
      net.node("b").onRequest = ({ id }) => net.node("b").delivery.destination.accept(id);
      net.node("a").send("b", { durable: true });
    },
    deed: (_net, node) => requests(node),
  },
  {
    name: "journal-ended",
    means: "a durable message that has ended: it is not begun again",
    prefix: "journal/",
    value: [],
    at: "b",
    prepare: (net) => {
      net.node("a").consumes = false;
      net.node("a").send("b", { durable: true });
    },
    deed: (_net, node) => requests(node),
  },
  {
    name: "park",
    means: "a message that waits for a way",
    prefix: "park/",
    value: { requests: ["test:run 1,2,3"], id: "61000000-0000-8000-8000-000000000000" },
    at: "x",
    prepare: (net) => {
      net.via.set("a>b", "x");
      net.cut.add("x>b");
      net.node("a").send("b");
    },
    deed: (net) => {
      const copy = net.over("x>b", FRAME.message)[0];
      const id = copy === undefined ? "" : Buffer.from(copy.frame.subarray(OFFSET.id, OFFSET.id + 16)).toString("hex");
      return { requests: requests(net.node("b")), id: id.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-") };
    },
  },
];

/** The disk was read for some of it. */
function seconds(ttl: number | undefined): number | undefined {
  return ttl === undefined ? undefined : Math.round(ttl / 1000);
}

function requests(node: Peer): string[] {
  return node.requests.map(({ directive, payload }) => `${directive} ${payload.join()}`);
}

function netOf(): Net {
  const net = new Net(["a", "b", "x"]);
  net.node("b").idempotent = true;
  return net;
}

function written(situation: Situation): DiskRecord {
  const net = netOf();
  // Later than any reader's clock says: it takes nothing from a time to live.
  net.run(1_000);
  situation.prepare(net);
  net.run(50);
  const found: DiskRecord[] = [];
  const { store } = net.node(situation.at);
  const take = (entries: readonly DiskRecord[]): void => void found.push(...entries);
  store.scan({ from: situation.prefix, to: `${situation.prefix}~` }, take, () => undefined);
  net.run(5);
  const [record] = found;
  if (record === undefined || found.length > 1) throw new RangeError(`${found.length} records where there is one`);
  return record;
}

function restarted(situation: Situation, bytes: Uint8Array): unknown {
  const net = netOf();
  const node = net.node(situation.at);
  node.store.write([{ type: "put", ...readRecord(bytes) }], () => undefined);
  net.run(5);
  node.restart();
  net.run(10);
  net.routes({});
  net.run(100);
  return situation.deed(net, node);
}

const BOOTS = ["00112233aaaaaaaaaaaaaaaaaaaaaaaa", "00112233bbbbbbbbbbbbbbbbbbbbbbbb"] as const;

/** Runs its work at once. */
function handStore(): Store {
  return new MemoryStore({ schedule: (task) => task() });
}

/** What every node keeps of its lives, through the very functions that do it. */
export const LIFE = {
  name: "life",
  means: "how often a node has started, and as whom",
  value: { epoch: 42, recentBoots: BOOTS, store: "00112233" },
  encode: (): Uint8Array => {
    const store = handStore();
    saveLife(store, { epoch: 41, boot: BOOTS[1], recentBoots: BOOTS.slice(0, 1) }, 41, () => undefined);
    return layRecord({ key: "node/life", value: valueOf(store, "node/life") });
  },
  decode: async (bytes: Uint8Array): Promise<unknown> => {
    const store = handStore();
    await new Promise<void>((resolve) => store.write([{ type: "put", ...readRecord(bytes) }], () => resolve()));
    const life = await new Promise<Life>((resolve, reject) =>
      beginLife(
        store,
        (count) => new Uint8Array(count),
        (error, begun) => (begun === undefined ? reject(error) : resolve(begun)),
      ),
    );
    return { epoch: life.epoch, recentBoots: life.recentBoots, store: life.boot.slice(0, 8) };
  },
} as const;

/** How old a store is, noted at 5 s of the second life of a store that was 60 s old before. */
const CLOCK: Case = {
  name: "clock",
  means: "how old the store is: 65 s, at a wall clock of 1700000000000; read 10 s later",
  value: 75_000,
  encode: () => {
    const store = handStore();
    const clock = clockOver(store, 1_700_000_000_000);
    clock.use(60_000);
    const next = clockOver(store, 1_700_000_000_000);
    next.use(5_000);
    return layRecord({ key: "delivery/clock", value: valueOf(store, "delivery/clock") });
  },
  decode: (bytes) => {
    const store = handStore();
    store.write([{ type: "put", ...readRecord(bytes) }], () => undefined);
    return clockOver(store, 1_700_000_010_000).age(0);
  },
};

function clockOver(records: Store, wall: number): StoreClock {
  const clock = new StoreClock({ records, wallClock: () => wall, markDirty: () => undefined } as unknown as DeliveryPort);
  clock.restore(
    () => 0,
    () => undefined,
  );
  return clock;
}

function valueOf(store: Store, key: string): Uint8Array {
  let value: Uint8Array | undefined;
  store.get(key, (_error, found) => (value = found));
  return value ?? new Uint8Array();
}

export const DISK_CASES: readonly Case[] = [
  CLOCK,
  ...SITUATIONS.map((situation) => ({
    name: situation.name,
    means: situation.means,
    value: situation.value,
    encode: () => layRecord(written(situation)),
    decode: (bytes: Uint8Array) => restarted(situation, bytes),
  })),
];
