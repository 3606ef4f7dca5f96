import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { messageId } from "../../../src/core/ids.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { LIMITS, TIMES } from "../../../src/core/limits.ts";
import { AckQueue, type AckSource } from "../../../src/delivery/streams/ack-queue.ts";
import { CHUNK_AT, Frames } from "../../../src/delivery/frames.ts";
import type { DeliveryPort } from "../../../src/delivery/ports.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { decodeError, decodeReceipt } from "../../../src/wire/outcome.ts";
import { RecordReader, type ResponseRecord } from "../../../src/wire/record.ts";
import { Net } from "./harness.ts";

const ID = (n: number) => messageId(`00000000-0000-8000-8000-${n.toString(16).padStart(12, "0")}`);
const BUSY = new MeshError("BUSY", "no more");

function records(bytes: Uint8Array): ResponseRecord[] {
  const found: ResponseRecord[] = [];
  new RecordReader().push(bytes, (record) => found.push(record));
  return found;
}

/** The first copy of the only message that `a` sent, as it came to `b`. */
function copyOf(net: Net): Uint8Array {
  return net.over("a>b", FRAME.message)[0]?.frame.slice() ?? new Uint8Array(0);
}

describe("Destination: a work that ends", () => {
  it("has its answer on the way before its call returns, in the one frame that it takes", () => {
    const net = new Net(["a", "b"]);
    const b = net.node("b");
    const left: number[] = [];
    b.onRequest = ({ id }) => {
      const { destination } = b.delivery;
      destination.accept(id);
      destination.running(id);
      destination.respond(id, { content: "text", channel: undefined }, new Uint8Array(100));
      left.push(net.over("b>a").length);
      destination.end(net.clock.now, id, { state: "succeeded", exitCode: undefined, error: undefined });
      left.push(net.over("b>a").length);
    };
    net.node("a").send("b");
    net.run(1_000);
    expect(left).toEqual([0, 1]);
    expect(net.over("b>a").map(({ kind }) => kind)).toEqual([FRAME.data]);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
  });
});

describe("Destination: copies of a message", () => {
  it("of accepted work are answered with the receipt, and run nothing", () => {
    const net = new Net(["a", "b"]);
    const b = net.node("b");
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    net.node("a").send("b");
    net.run(10);
    b.receive(copyOf(net));
    net.run(10);
    expect(b.requests).toHaveLength(1);
    expect(net.over("b>a", FRAME.receipt)).toHaveLength(2);
  });

  it("of refused work are refused again for the same reason, for 30 s", () => {
    const net = new Net(["a", "b"]);
    const b = net.node("b");
    b.onRequest = ({ id }) => b.delivery.destination.refuse(net.clock.now, id, BUSY);
    net.node("a").send("b");
    net.run(10);
    b.receive(copyOf(net));
    net.run(10);
    const receipts = net.over("b>a", FRAME.receipt).map(({ frame }) => decodeReceipt(frame.subarray(48)));
    expect(receipts.map((receipt) => receipt.type === "refused" && receipt.error.code)).toEqual(["BUSY", "BUSY"]);
    expect(b.delivery.destination.size).toBe(1);
    net.run(30_000);
    expect(b.delivery.destination.size).toBe(0);
    b.receive(copyOf(net));
    net.run(10);
    expect(b.requests).toHaveLength(1);
    expect(net.over("b>a", FRAME.reset).map(({ frame }) => decodeError(frame.subarray(48)).code)).toEqual(["RESPONSES_GONE"]);
  });

  it("of ended work are answered with its responses", () => {
    const net = new Net(["a", "b"]);
    net.lose = ({ kind, at }) => kind === FRAME.data && at < 50;
    net.node("a").send("b");
    net.run(60);
    net.node("b").receive(copyOf(net));
    net.run(10);
    expect(net.node("b").requests).toHaveLength(1);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
  });

  it("run nothing even where the work is forgotten and its time to live was short", () => {
    const net = new Net(["a", "b"], { retention: 10 });
    net.node("a").send("b", { ttl: 50 });
    net.run(5_000);
    expect(net.node("b").delivery.destination.size).toBe(0);
    net.node("b").receive(copyOf(net));
    net.run(10);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("that are bound to another life run nothing: stale, with the present one", () => {
    const net = new Net(["a", "b"]);
    net.node("a").send("b");
    net.run(10);
    net.node("b").restart();
    net.run(20);
    net.node("b").receive(copyOf(net));
    net.run(10);
    const last = net.over("b>a", FRAME.receipt).at(-1);
    expect(last === undefined ? undefined : decodeReceipt(last.frame.subarray(48))).toEqual({ type: "stale", life: 2, resent: false });
    expect(net.node("b").requests).toHaveLength(1);
  });
});

describe("Destination: what it remembers of refusals", () => {
  it("is bounded in number", () => {
    const net = new Net(["a", "b"]);
    const b = net.node("b");
    b.onRequest = ({ id }) => b.delivery.destination.refuse(net.clock.now, id, BUSY);
    for (let i = 0; i < 10_500; i++) net.node("a").send("b");
    net.run(100);
    expect(b.requests).toHaveLength(10_500);
    expect(b.delivery.destination.size).toBeLessThanOrEqual(10_000);
  });
});

describe("Destination: durable work", () => {
  it("is in the journal before it is offered", () => {
    const net = new Net(["a", "b"]);
    const b = net.node("b");
    let inJournal = 0;
    b.onRequest = (request) => {
      inJournal = b.kept;
      b.answer(request);
    };
    net.node("a").send("b", { durable: true });
    net.run(100);
    expect(inJournal).toBe(1);
  });

  it("is refused with the store's error where the journal cannot be written, and runs nothing", () => {
    const net = new Net(["a", "b"]);
    net.node("b").store.fail("STORE_FULL");
    net.node("a").send("b", { durable: true });
    net.run(100);
    expect(net.node("a").told).toEqual(["STORE_FULL"]);
    expect(net.node("b").requests).toEqual([]);
  });

  it("is refused with STORE_FULL where as many are remembered as may be, until one of them is over", () => {
    const net = new Net(["a", "b"], { journaled: 2 });
    const [a, b] = [net.node("a"), net.node("b")];
    b.onRequest = (request) => b.answer(request);
    const refused = (): number => a.told.filter((what) => what === "STORE_FULL").length;
    for (const ttl of [1_000, 60_000, 60_000]) a.send("b", { durable: true, ttl });
    net.run(100);
    expect([b.requests.length, refused()]).toEqual([2, 1]);
    net.run(1_000 + TIMES.late);
    a.send("b", { durable: true });
    net.run(100);
    expect([b.requests.length, refused()]).toEqual([3, 1]);
  });

  it("that ran when the node ended fails with WORK_INTERRUPTED, and does not run again", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = a.send("b", { durable: true });
    net.run(100);
    b.restart({ off: 100 });
    net.run(1_000);
    expect(b.requests).toHaveLength(1);
    const [end] = records(a.received(id));
    expect(end).toMatchObject({ type: "end", end: { state: "failed", error: { code: "WORK_INTERRUPTED" } } });
  });

  it("that ran when the node ended is told as soon as its sender asks, also where that had no receipt before", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    net.lose = ({ from, at }) => from === "b" && at < 200;
    const id = a.send("b", { durable: true });
    net.run(200);
    net.delay.set("b>a", 50);
    b.restart({ off: 100 });
    net.run(2_000);
    expect(b.requests).toHaveLength(1);
    expect(records(a.received(id))).toMatchObject([{ type: "end", end: { state: "failed", error: { code: "WORK_INTERRUPTED" } } }]);
  });

  it("that ran when the node ended stays WORK_INTERRUPTED where the node restarts again before its sender has heard of it", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = a.send("b", { durable: true });
    net.run(100);
    net.routes({ cut: ["a>b", "b>a"] });
    b.restart({ off: 100 });
    net.run(100);
    b.restart({ off: 100 });
    net.routes({ open: ["a>b", "b>a"] });
    net.run(60_000);
    expect(b.requests).toHaveLength(1);
    expect(records(a.received(id))).toMatchObject([{ type: "end", end: { state: "failed", error: { code: "WORK_INTERRUPTED" } } }]);
  });

  it("that ran when the node ended runs again where its action is idempotent", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.idempotent = true;
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    a.send("b", { durable: true });
    net.run(100);
    b.onRequest = (request) => b.answer(request);
    b.restart({ off: 100 });
    net.run(1_000);
    expect(b.requests).toHaveLength(2);
    expect(a.told.at(-1)).toBe("end");
  });

  it("that had ended when the node ended is known as such, and does not run again", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    net.lose = ({ from, at }) => from === "b" && at < 300;
    const id = a.send("b", { durable: true });
    net.run(100);
    b.restart({ off: 100 });
    net.run(5_000);
    expect(b.requests).toHaveLength(1);
    expect(records(a.received(id))).toMatchObject([{ type: "end", end: { state: "failed", error: { code: "RESPONSES_GONE" } } }]);
  });

  it("stays in the journal for its time to live, however short its responses are kept: no copy runs in a later life", () => {
    const net = new Net(["a", "b"], { retention: 5_000 });
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    net.lose = ({ from }) => from === "b";
    a.send("b", { durable: true, ttl: 3_600_000 });
    net.run(10_000);
    expect(b.delivery.destination.size).toBe(0);
    b.restart({ off: 100 });
    net.lose = () => false;
    net.run(60_000);
    expect(b.requests).toHaveLength(1);
    expect(a.told).toEqual(["accepted", "end"]);
    net.run(4_300_000);
    expect(b.kept).toBe(0);
  });

  it("leaves the journal when its responses are no longer kept and no copy can come any more", () => {
    const net = new Net(["a", "b"], { retention: 5_000 });
    net.node("a").send("b", { durable: true, ttl: 1_000 });
    net.run(600_000);
    expect(net.node("b").kept).toBe(1);
    net.run(10_000);
    expect(net.node("b").kept).toBe(0);
  });

  it("does not run again for a copy that did not age while it lay in buffers, for minutes beyond its time to live, across a restart", () => {
    const net = new Net(["a", "b"], { retention: 5_000 });
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    const held: Uint8Array[] = [];
    net.lose = ({ to, frame }) => to === "b" && held.push(frame.slice()) > 1;
    a.send("b", { durable: true, ttl: 60_000 });
    net.run(300_000);
    expect(b.requests).toHaveLength(1);
    b.restart({ off: 100 });
    net.run(100);
    for (const copy of held.slice(0, 2)) b.arrive(copy);
    net.run(60_000);
    expect(b.requests).toHaveLength(1);
  });
});

describe("Destination: attaching", () => {
  it("says RESPONSES_GONE of work that it has seen to its end and forgotten: it was not interrupted", () => {
    const net = new Net(["a", "b"], { retention: 5_000 });
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = a.send("b");
    net.run(100);
    net.lose = ({ from, at }) => from === "b" && at < 20_000;
    b.end(id);
    net.run(120_000);
    expect(a.told).toEqual(["accepted", "RESPONSES_GONE"]);
  });

  it("gives the end also of work that had no responses", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => {
      b.delivery.destination.accept(id);
      b.delivery.destination.running(id);
      b.end(id);
    };
    const id = a.send("b");
    net.run(100);
    a.bytes.clear();
    a.act(({ origin }) => origin.attach(net.clock.now, id, b.id, 1, 5_000));
    net.run(100);
    expect(a.told.at(-1)).toBe("end");
    expect(records(a.received(id)).at(-1)).toMatchObject({ type: "end", end: { state: "succeeded" } });
  });

  it("may follow it again, and again, when it was at rest; a copy is answered meanwhile, and another node's is refused", () => {
    const net = new Net(["a", "b", "c"], { retention: 10_000 });
    const { a, b, c } = { a: net.node("a"), b: net.node("b"), c: net.node("c") };
    b.onRequest = ({ id }) => {
      b.delivery.destination.accept(id);
      b.delivery.destination.running(id);
      for (const n of [1, 2, 3]) b.delivery.destination.respond(id, { content: "bytes", channel: undefined }, new Uint8Array(300).fill(n));
      b.end(id);
    };
    const id = a.send("b");
    net.run(100);
    const whole = a.received(id);
    b.receive(copyOf(net));
    net.run(100);
    expect(net.over("b>a", FRAME.receipt).map(({ frame }) => decodeReceipt(frame.subarray(48)))).toEqual([{ type: "accepted" }]);
    const foreign = copyOf(net);
    const { high, low } = hashNodeId(c.id);
    const view = new DataView(foreign.buffer, foreign.byteOffset);
    view.setUint32(16, high);
    view.setUint32(20, low);
    b.receive(foreign);
    net.run(100);
    expect(net.over("b>c", FRAME.receipt).map(({ frame }) => decodeReceipt(frame.subarray(48)).type)).toEqual(["refused"]);
    for (const follower of [a, c, a]) {
      follower.bytes.clear();
      follower.act(({ origin }) => origin.attach(net.clock.now, id, b.id, 3, 5_000));
      net.run(100);
      expect(follower.received(id)).toEqual(whole);
      expect(follower.told.at(-1)).toBe("end");
    }
    expect(b.delivery.destination.responses(id)).toBe(3);
    expect(b.requests).toHaveLength(1);
    net.run(10_000);
    expect(b.delivery.destination.size).toBe(0);
  });

  it("says RESPONSES_GONE for a response that is no longer kept, and after the retention time", () => {
    const net = new Net(["a", "b"], { retention: 10_000 });
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = a.send("b");
    net.run(10);
    for (let i = 0; i < 60; i++) {
      b.act(({ destination }) => destination.respond(id, { content: "bytes", channel: undefined }, new Uint8Array(40_000)));
      net.run(10);
    }
    b.end(id);
    net.run(100);
    a.act(({ origin }) => origin.attach(net.clock.now, id, b.id, 1, 5_000));
    net.run(100);
    a.act(({ origin }) => origin.attach(net.clock.now, id, b.id, 60, 5_000));
    net.run(100);
    net.run(20_000);
    a.act(({ origin }) => origin.attach(net.clock.now, id, b.id, 60, 5_000));
    net.run(100);
    expect(a.told.filter((what) => !what.startsWith("attached"))).toEqual(["accepted", "end", "RESPONSES_GONE", "end", "RESPONSES_GONE"]);
  });

  it("says where the work is, when it was sent from here", () => {
    const net = new Net(["a", "b", "c"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = a.send("b");
    net.run(10);
    net.node("c").act(({ origin }) => origin.attach(net.clock.now, id, a.id, 1, 5_000));
    net.run(10);
    expect(net.node("c").told).toEqual(["UNKNOWN_WORK"]);
    expect(net.node("c").errors[0]?.data).toEqual({ node: "b" });
  });
});

describe("Destination: its responses", () => {
  it("hold their writer back at one credit, and resume as they are taken", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    a.consumes = false;
    let writable = 0;
    b.onWritable = () => writable++;
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = a.send("b");
    net.run(10);
    let written = 0;
    while (b.act(({ destination }) => destination.respond(id, { content: "bytes", channel: undefined }, new Uint8Array(10_000)))) written++;
    net.run(100);
    expect(written * 10_000).toBeLessThanOrEqual(LIMITS.credit);
    expect(a.received(id).length).toBeLessThanOrEqual(LIMITS.credit);
    a.act(({ origin }) => origin.following.consumed(id, LIMITS.credit));
    net.run(100);
    expect(writable).toBe(1);
  });

  it("leave in whole chunks while more is written", () => {
    const net = new Net(["a", "b"]);
    const b = net.node("b");
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = net.node("a").send("b");
    net.run(10);
    while (b.delivery.destination.respond(id, { content: "bytes", channel: undefined }, new Uint8Array(1_000)));
    const lengths = net.over("b>a", FRAME.data).map(({ frame }) => frame.length - CHUNK_AT);
    const whole = lengths.filter((length) => length === LIMITS.chunk).length;
    expect(whole).toBeGreaterThanOrEqual(6);
    expect(lengths.length - whole).toBeLessThanOrEqual(5);
  });

  it("wait while the link has no room, and go when it has", () => {
    const net = new Net(["a", "b"]);
    const b = net.node("b");
    net.full.add("b>a");
    net.node("a").send("b", { ttl: 10_000 });
    net.run(100);
    expect(net.over("b>a", FRAME.data)).toEqual([]);
    net.full.clear();
    b.act((delivery) => delivery.writable());
    net.run(100);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
  });

  it("of work whose sender it cannot reach yet go when there is a way", () => {
    const net = new Net(["a", "b"]);
    net.cut.add("b>a");
    net.node("a").send("b");
    net.run(100);
    net.routes({ open: ["b>a"] });
    net.run(10);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(1);
  });
});

describe("AckQueue", () => {
  function queue(): { acks: AckQueue; sent: Uint8Array[]; clock: { now: number } } {
    const sent: Uint8Array[] = [];
    const clock = { now: 0 };
    const port = { transmit: (frame: Uint8Array) => sent.push(frame.slice()) > 0 };
    return { acks: new AckQueue(new Frames({ high: 1, low: 1 }, port as unknown as DeliveryPort), () => clock.now), sent, clock };
  }

  function source(n: number, low: number, offset = 0): AckSource & { offset: number } {
    const made = {
      to: { high: 0, low },
      queued: undefined,
      offset,
      take: () => ({
        id: ID(n),
        upward: false,
        gap: false,
        probed: false,
        done: false,
        detached: false,
        generation: 0,
        offset: made.offset,
        window: 0,
      }),
    };
    return made;
  }

  it("gathers by destination what may wait, for 5 ms, and says how matters stand when it leaves", () => {
    const { acks, sent, clock } = queue();
    const first = source(1, 7);
    clock.now = 100;
    acks.add(first, false);
    clock.now = 102;
    acks.add(source(2, 7), false);
    acks.add(source(3, 8), false);
    clock.now = 103;
    acks.add(first, false);
    first.offset = 9;
    acks.flush();
    acks.wake(104);
    expect(sent).toEqual([]);
    expect(acks.nextWake()).toBe(105);
    acks.wake(105);
    expect(sent.map(({ length }) => length)).toEqual([48 + 2 * 32, 48 + 32]);
    expect(sent[0]?.[48 + 31]).toBe(9);
    expect(acks.nextWake()).toBeUndefined();
  });

  it("sends at the end of the tick what is urgent, and what lingers once it is much", () => {
    const { acks, sent } = queue();
    acks.add(source(1, 7), true);
    acks.flush();
    expect(sent).toHaveLength(1);
    for (let n = 0; n < 128; n++) acks.add(source(n, 7), false);
    acks.flush();
    expect(sent.map(({ length }) => length)).toEqual([48 + 32, 48 + 128 * 32]);
  });

  it("says once what lingered until it became urgent, and what is urgent no later for lingering", () => {
    const { acks, sent, clock } = queue();
    const [first, other] = [source(1, 7), source(2, 7)];
    acks.add(first, false);
    acks.add(other, false);
    clock.now = 1;
    acks.add(first, true);
    acks.add(first, false);
    acks.flush();
    expect(sent.map(({ length }) => length)).toEqual([48 + 32]);
    clock.now = 2;
    acks.add(first, false);
    acks.wake(5);
    expect(sent.map(({ length }) => length)).toEqual([48 + 32, 48 + 2 * 32]);
    acks.wake(10);
    expect(sent).toHaveLength(2);
  });
});
