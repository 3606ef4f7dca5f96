import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { layFrame } from "../../../src/wire/message.ts";
import { FLAG, FRAME, OFFSET, writeRoutedHeader } from "../../../src/wire/frame.ts";
import { writeMessageId } from "../../../src/wire/message-id.ts";
import { decodeNotice, encodeError, encodeNotice } from "../../../src/wire/outcome.ts";
import { Net } from "./harness.ts";

const CANCELLED = new MeshError("CANCELLED", "no longer wanted");

describe("Origin: a small work", () => {
  it("costs one frame there and one back, and one acknowledgement that lingers", () => {
    const net = new Net(["a", "b"]);
    net.node("a").send("b");
    net.run(1_000);
    expect(net.over("a>b", FRAME.message)).toHaveLength(1);
    expect(net.over("b>a").map(({ kind, flags }) => [kind, flags & (FLAG.accepted | FLAG.fin)])).toEqual([
      [FRAME.data, FLAG.accepted | FLAG.fin],
    ]);
    expect(net.over("a>b").map(({ kind }) => kind)).toEqual([FRAME.message, FRAME.ack]);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
    expect(net.node("a").delivery.origin.size).toBe(0);
  });

  it("is sent again by a timer until its receipt comes, with a wait that doubles, and runs once", () => {
    const net = new Net(["a", "b"]);
    net.lose = ({ from, to, at }) => from === "b" && to === "a" && at < 6_500;
    net.node("a").send("b");
    net.run(20_000);
    const sent = net.over("a>b", FRAME.message).map(({ at }) => at);
    expect(sent.slice(0, 3)).toEqual([0, 1_000, 3_000]);
    expect(net.over("a>b", FRAME.message).map(({ flags }) => flags & FLAG.resent)).toEqual([0, ...sent.slice(1).map(() => FLAG.resent)]);
    expect(net.node("b").requests).toHaveLength(1);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
  });

  it("is sent again soon after routes change", () => {
    const net = new Net(["a", "b"]);
    net.lose = ({ at }) => at < 200;
    net.node("a").send("b");
    net.run(250);
    net.routes({});
    net.run(200);
    expect(net.over("a>b", FRAME.message).map(({ at }) => at)).toEqual([0, 350]);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
  });

  it("ends as EXPIRED when no receipt comes within its time to live", () => {
    const net = new Net(["a", "b"]);
    net.lose = () => true;
    net.node("a").send("b", { ttl: 5_000 });
    net.run(6_900);
    expect(net.node("a").told).toEqual([]);
    net.run(200);
    expect(net.node("a").told).toEqual(["EXPIRED"]);
    // The time to live that travels falls with each copy.
    const left = net.over("a>b", FRAME.message).map(({ ttl }) => ttl);
    expect(left).toEqual([5_000, 4_000, 2_000]);
  });

  it("is refused with the destination's reason, once", () => {
    const net = new Net(["a", "b"]);
    net.node("b").onRequest = ({ id }) =>
      net.node("b").delivery.destination.refuse(net.clock.now, id, new MeshError("UNKNOWN_PLUGIN", "no such plugin"));
    net.node("a").send("b");
    net.run(5_000);
    expect(net.node("a").told).toEqual(["UNKNOWN_PLUGIN"]);
    expect(net.node("a").delivery.origin.size).toBe(0);
  });

  it("that is held is confirmed once it is accepted", () => {
    const net = new Net(["a", "b"]);
    const b = net.node("b");
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    net.node("a").send("b", { hold: true });
    net.run(100);
    expect(net.over("b>a").map(({ kind, flags }) => [kind, flags])).toEqual([[FRAME.receipt, FLAG.hold]]);
    expect(b.told).toEqual(["confirm"]);
  });
});

describe("Origin: without a route", () => {
  it("ends as NO_ROUTE where the message may not wait, but never before `send` has returned its id", () => {
    const net = new Net(["a", "b"]);
    net.cut.add("a>b");
    const a = net.node("a");
    a.send("b", { ttl: 0 });
    expect(a.told).toEqual([]);
    net.run(1);
    expect(a.told).toEqual(["NO_ROUTE"]);
    expect(a.delivery.origin.size).toBe(0);
  });

  it("ends as STORE_FULL where the store is, but never before `send` has returned its id", () => {
    const net = new Net(["a", "b"], { park: { messages: 1, bytes: 1_000_000 } });
    net.cut.add("a>b");
    const a = net.node("a");
    a.send("b");
    a.send("b");
    expect(a.told).toEqual([]);
    net.run(10);
    expect(a.told.toSorted()).toEqual(["STORE_FULL", "parked a", "parks"]);
  });

  it("is not refused by a full store here when a copy may have arrived, but tried again", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    net.cut.add("b>a");
    a.send("b");
    net.run(100);
    a.store.fail("STORE_FULL");
    net.routes({ cut: ["a>b"] });
    net.run(5_000);
    expect(a.told).toEqual([]);
    a.store.fail(undefined);
    net.run(15_000);
    expect(a.told).toEqual(["parks", "parked a"]);
    net.routes({ open: ["a>b", "b>a"] });
    net.run(3_000);
    expect(a.told.slice(2)).toEqual(["accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("waits here, tells so once it is on the disk, and goes when there is a way", () => {
    const net = new Net(["a", "b"]);
    net.cut.add("a>b");
    const a = net.node("a");
    a.send("b");
    net.run(1);
    expect(a.told).toEqual([]);
    net.run(10);
    expect(a.told).toEqual(["parks", "parked a"]);
    net.routes({ open: ["a>b"] });
    net.run(100);
    expect(a.told).toEqual(["parks", "parked a", "accepted", "end"]);
    expect(a.kept).toBe(0);
  });

  it("goes also when the way opens while it is being stored", () => {
    const net = new Net(["a", "b"]);
    net.cut.add("a>b");
    net.node("a").send("b");
    net.run(1);
    net.routes({ open: ["a>b"] });
    net.run(100);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("expires here, with the node where it waited", () => {
    const net = new Net(["a", "b"]);
    net.cut.add("a>b");
    const a = net.node("a");
    a.send("b", { ttl: 3_000 });
    net.run(3_100);
    expect(a.told).toEqual(["parks", "parked a", "expires", "EXPIRED"]);
    expect(a.errors[0]?.data).toEqual({ node: "b", where: "a" });
  });

  it("expires elsewhere, with the node where it waited", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    const a = net.node("a");
    a.send("b", { ttl: 3_000 });
    net.run(100);
    expect(a.told).toEqual(["parked x"]);
    net.run(3_500);
    expect(a.told).toEqual(["parked x", "EXPIRED"]);
    expect(a.errors[0]?.data).toEqual({ where: "x" });
  });

  it("leaves a message to the node where it waits, which binds it to the life that it then finds", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    const a = net.node("a");
    a.send("b");
    net.run(100);
    expect(net.over("a>x", FRAME.custody)).toHaveLength(1);
    net.run(10_000);
    expect(net.over("a>x", FRAME.message)).toHaveLength(1);
    net.node("b").restart();
    net.run(20);
    net.routes({ open: ["x>b"] });
    net.run(100);
    const notices = net.over("x>a", FRAME.notice).map(({ frame }) => decodeNotice(frame.subarray(48)));
    expect(notices.map(({ type }) => type)).toEqual(["parked", "parked", "released"]);
    expect(notices[2]).toMatchObject({ life: 2 });
    expect(net.over("x>b", FRAME.message).map(({ auxiliary, flags }) => [auxiliary, flags])).toEqual([[2, 0]]);
    expect(a.told).toEqual(["parked x", "accepted", "end"]);
  });

  it("leaves a message to one node alone: what waits here of it is taken back", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    net.delay.set("x>a", 3_000);
    const a = net.node("a");
    a.send("b");
    net.run(500);
    net.routes({ cut: ["a>x"] });
    net.run(2_000);
    expect(a.delivery.park.messages).toBe(1);
    net.cut.delete("a>x");
    net.run(2_000);
    expect(a.delivery.park.messages).toBe(0);
    expect([...net.node("x").delivery.park.list()].map(({ custody }) => custody)).toEqual([true]);
    // Here it finds b's first life, there it would find the second.
    net.via.delete("a>b");
    net.routes({});
    net.run(1_000);
    net.node("b").restart();
    net.run(100);
    net.routes({ open: ["x>b"] });
    net.run(20_000);
    expect(net.node("b").requests).toHaveLength(1);
    expect(a.told.filter((what) => what === "accepted")).toHaveLength(1);
  });

  it("leaves it to nobody else while it is left to one, whatever comes late", () => {
    const net = new Net(["a", "x", "y", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    const a = net.node("a");
    const id = a.send("b");
    net.run(100);
    const late = layFrame(encodeNotice({ type: "parked", node: nodeId("y"), ttl: 1_000 }));
    const { high, low } = hashNodeId("a");
    const header = { flags: 0, hops: 0, sourceHigh: 0, sourceLow: 0, ttl: 0, auxiliary: 0 };
    writeRoutedHeader(new DataView(late.buffer), 0, late.length, {
      ...header,
      kind: FRAME.notice,
      destinationHigh: high,
      destinationLow: low,
    });
    writeMessageId(late, OFFSET.id, id);
    a.receive(late);
    net.run(100);
    expect(net.over("a>y", FRAME.custody)).toEqual([]);
    a.act((delivery) => delivery.restarted(net.clock.now, nodeId("y")));
    net.run(10_000);
    expect(net.over("a>x", FRAME.message)).toHaveLength(1);
  });

  it("is not left to the next life of the node where it waits, which does not know what became of it before", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    net.delay.set("a>x", 500);
    net.node("a").send("b");
    net.run(520);
    // The custody is on its way to a life that is over when it arrives.
    net.node("x").restart();
    net.run(492);
    expect(net.over("x>a", FRAME.notice).map(({ frame }) => decodeNotice(frame.subarray(48)).type)).toEqual([
      "parked",
      "parked",
      "missing",
    ]);
    expect([...net.node("x").delivery.park.list()].map(({ custody }) => custody)).toEqual([false]);
  });

  it("asks the node where it waits, and sends it again itself when it is not there any more", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    const a = net.node("a");
    a.send("b");
    net.run(100);
    // It goes on, and neither it nor the word of that arrives.
    net.lose = ({ kind, from }) => from === "x" && (kind === FRAME.message || kind === FRAME.notice);
    net.routes({ open: ["x>b"] });
    net.run(100);
    net.lose = () => false;
    net.run(10_000);
    expect(net.over("x>a", FRAME.notice).map(({ frame }) => decodeNotice(frame.subarray(48)).type)).toContain("missing");
    expect(net.node("b").requests).toHaveLength(1);
    expect(a.told).toEqual(["parked x", "accepted", "end"]);
  });

  it("ends as WORK_INTERRUPTED where it is not known whether the copy that went on began before the destination restarted", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    const a = net.node("a");
    a.believes.life = 0;
    a.send("b");
    net.run(100);
    net.lose = ({ kind, from }) => (from === "x" && kind === FRAME.notice) || from === "b";
    net.routes({ open: ["x>b"] });
    net.run(100);
    expect(net.node("b").requests).toHaveLength(1);
    net.node("b").restart();
    net.run(100);
    net.lose = () => false;
    net.run(20_000);
    expect(net.node("b").requests).toHaveLength(1);
    expect(a.told).toEqual(["parked x", "WORK_INTERRUPTED"]);
  });

  it("sends it again itself when the node where it waited comes back without it", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    net.node("a").send("b");
    net.run(100);
    net.node("x").restart({ wipe: true });
    net.routes({ open: ["x>b"] });
    net.run(6_000);
    expect(net.node("b").requests).toHaveLength(1);
    expect(net.node("a").told).toEqual(["parked x", "accepted", "end"]);
  });

  it("takes back what waits here when another copy is accepted", () => {
    const net = new Net(["a", "b"]);
    net.delay.set("b>a", 1_500);
    const a = net.node("a");
    a.send("b");
    net.run(500);
    net.routes({ cut: ["a>b"] });
    net.run(500);
    expect(a.delivery.park.messages).toBe(1);
    net.run(1_000);
    expect(a.told).toContain("accepted");
    expect(a.delivery.park.messages).toBe(0);
    net.routes({ open: ["a>b"] });
    net.run(5_000);
    expect(a.told.filter((what) => what === "accepted")).toHaveLength(1);
    expect(net.over("a>b", FRAME.message)).toHaveLength(1);
  });

  it("hands over to a neighbour where the node does not park", () => {
    const leaf = new Net(["a", "x", "b"], { parks: false });
    leaf.cut.add("a>b");
    leaf.cut.add("x>b");
    leaf.node("a").send("b");
    leaf.run(10);
    expect(leaf.over("a>x", FRAME.message)).toHaveLength(1);
    // x does not park either, in this mesh of leaves.
    expect(leaf.node("a").told).toEqual(["NO_ROUTE"]);
  });
});

describe("Origin: a worker that does not come back", () => {
  it("ends as WORK_INTERRUPTED where its worker stays out of reach for the retention time", () => {
    const net = new Net(["a", "b"], { retention: 100_000 });
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    a.send("b");
    net.run(100);
    net.routes({ cut: ["a>b", "b>a"] });
    net.run(95_000);
    expect(a.told).toEqual(["accepted"]);
    net.run(70_000);
    expect(a.told).toEqual(["accepted", "WORK_INTERRUPTED"]);
    expect(a.delivery.origin.size).toBe(0);
  });

  it("is followed on where it comes back in time", () => {
    const net = new Net(["a", "b"], { retention: 100_000 });
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    a.send("b");
    for (let i = 0; i < 4; i++) {
      net.run(100);
      net.routes({ cut: ["a>b", "b>a"] });
      net.run(80_000);
      net.routes({ open: ["a>b", "b>a"] });
      net.run(40_000);
    }
    expect(a.told).toEqual(["accepted"]);
  });
});

describe("Origin: ways that lead in circles", () => {
  function circle(): Net {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x").set("x>b", "a").set("b>a", "x");
    return net;
  }

  it("sends again what came to the hop limit while routes settled", () => {
    const net = circle();
    const a = net.node("a");
    a.send("b");
    net.run(500);
    expect([a, net.node("x")].map(({ delivery }) => delivery.relay.counts.hopLimit)).toContain(1);
    expect(a.told).toEqual([]);
    net.via.delete("x>b");
    net.routes({});
    net.run(1_000);
    expect(a.told).toEqual(["accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("ends as HOP_LIMIT when three copies did", () => {
    const net = circle();
    net.node("a").send("b", { ttl: 60_000 });
    net.run(10_000);
    expect(net.node("a").told).toEqual(["HOP_LIMIT"]);
    expect(net.over("a>x", FRAME.message).filter(({ hops }) => hops === 0)).toHaveLength(3);
  });
});

describe("Origin: the life that a message is bound to", () => {
  it("binds again what cannot have begun", () => {
    const net = new Net(["a", "b"]);
    net.node("a").believes = { life: 7 };
    net.node("a").send("b");
    net.run(100);
    expect(net.over("a>b", FRAME.message).map(({ auxiliary }) => auxiliary)).toEqual([7, 1]);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
  });

  it("ends as WORK_INTERRUPTED where a copy may have begun in the life before", () => {
    const net = new Net(["a", "b"]);
    net.lose = ({ from, at }) => from === "b" && at < 900;
    net.node("a").send("b");
    net.run(900);
    net.node("b").restart();
    net.run(5_000);
    expect(net.node("a").told).toEqual(["WORK_INTERRUPTED"]);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("runs again all the same where the action is idempotent", () => {
    const net = new Net(["a", "b"]);
    net.node("b").idempotent = true;
    net.lose = ({ from, at }) => from === "b" && at < 900;
    net.node("a").send("b");
    net.run(900);
    net.node("b").restart();
    net.run(5_000);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(2);
  });

  it("does not take the answer to an older copy for news", () => {
    const net = new Net(["a", "b"]);
    net.node("a").believes = { life: 0 };
    net.delay.set("a>b", 600);
    net.delay.set("b>a", 600);
    net.node("a").send("b");
    net.run(20_000);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("does not send again what was cancelled meanwhile", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    a.believes = { life: 7 };
    net.lose = ({ kind, at }) => kind === FRAME.reset && at < 500;
    const id = a.send("b");
    a.act(({ origin }) => origin.cancel(net.clock.now, id, CANCELLED));
    net.run(5_000);
    expect(a.told).toEqual(["CANCELLED"]);
    expect(net.node("b").requests).toHaveLength(0);
  });
});

describe("Origin: durable messages", () => {
  it("are on the disk before they are sent, with the store that they are bound to, until they are answered", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    a.send("b", { durable: true });
    net.run(1);
    expect(net.over("a>b")).toEqual([]);
    net.run(2);
    expect(a.kept).toBe(1);
    const [first] = net.over("a>b", FRAME.message);
    expect(first?.auxiliary).toBe(net.node("b").storeName);
    net.run(100);
    expect(a.told).toEqual(["accepted", "end"]);
    expect(a.kept).toBe(0);
  });

  it("survive the origin's life, and run once", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    net.lose = ({ at }) => at < 1_000;
    a.send("b", { durable: true });
    net.run(500);
    a.restart({ off: 500 });
    net.run(1_000);
    expect(a.restored).toEqual(["test:run at b"]);
    expect(a.told).toEqual(["accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("do not run twice when the origin restarts and the destination loses its disk: WORK_INTERRUPTED", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    net.lose = ({ from, at }) => from === "b" && at < 600;
    a.send("b", { durable: true });
    net.run(500);
    expect(net.node("b").requests).toHaveLength(1);
    net.node("b").restart({ wipe: true });
    a.restart({ off: 200 });
    net.run(5_000);
    expect(net.node("b").requests).toHaveLength(1);
    expect(a.told).toEqual(["WORK_INTERRUPTED"]);
  });

  it("whose destination was unknown are written again with its store before they go", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    a.believes = { store: 0 };
    net.cut.add("a>b");
    a.send("b", { durable: true });
    net.run(50);
    a.believes = {};
    net.routes({ open: ["a>b"] });
    net.run(100);
    expect(net.over("a>b", FRAME.message).map(({ auxiliary }) => auxiliary)).toEqual([net.node("b").storeName]);
    expect(a.told).toContain("end");
    expect(a.kept).toBe(0);
  });

  it("that may not wait go when they are on the disk", () => {
    const net = new Net(["a", "b"]);
    net.node("a").send("b", { durable: true, ttl: 0 });
    net.run(100);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
  });

  it("are off the disk before their sender is told that they failed, and so are not sent again after a restart", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    net.lose = ({ from }) => from === "b";
    a.send("b", { durable: true, ttl: 1_000 });
    let keptWhenTold: number | undefined;
    for (let i = 0; i < 6_000 && keptWhenTold === undefined; i++) {
      net.run(1);
      if (a.told.includes("EXPIRED")) keptWhenTold = a.kept;
    }
    expect(keptWhenTold).toBe(0);
  });

  it("are delivered also when their sender stops following them before they are accepted", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    net.cut.add("a>b");
    const id = a.send("b", { durable: true });
    net.run(50);
    a.act(({ origin }) => origin.detach(net.clock.now, id));
    net.routes({ open: ["a>b"] });
    net.run(3_000);
    expect(net.node("b").requests).toHaveLength(1);
    expect(a.kept).toBe(0);
    expect(a.delivery.origin.size).toBe(0);
  });

  it("whose time ran out while the node was off end as EXPIRED, and are not sent", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    net.cut.add("a>b");
    a.send("b", { durable: true, ttl: 5_000 });
    net.run(100);
    net.cut.clear();
    a.restart({ off: 10_000 });
    net.run(1_000);
    expect(net.node("b").requests).toHaveLength(0);
    expect(a.told).toContain("EXPIRED");
    expect(a.kept).toBe(0);
  });

  it("end with the store's error where they cannot be written", () => {
    const net = new Net(["a", "b"]);
    net.node("a").store.fail("STORE_FULL");
    net.node("a").send("b", { durable: true });
    net.run(100);
    expect(net.node("a").told).toEqual(["STORE_FULL"]);
    expect(net.over("a>b")).toEqual([]);
  });
});

describe("Origin.cancel", () => {
  it("of what is being stored ends it here", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    const id = a.send("b", { durable: true });
    a.act(({ origin }) => origin.cancel(net.clock.now, id, CANCELLED));
    net.run(100);
    expect(a.told).toEqual(["CANCELLED"]);
    expect(net.over("a>b")).toEqual([]);
    expect(a.kept).toBe(0);
  });

  it("of what waits here ends it here", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    net.cut.add("a>b");
    const id = a.send("b");
    net.run(10);
    a.act(({ origin }) => origin.cancel(net.clock.now, id, CANCELLED));
    net.routes({ open: ["a>b"] });
    net.run(100);
    expect(a.told).toEqual(["parks", "parked a", "CANCELLED"]);
    expect(net.over("a>b")).toEqual([]);
  });

  it("of what waits elsewhere takes it out there", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    const a = net.node("a");
    const id = a.send("b");
    net.run(100);
    a.act(({ origin }) => origin.cancel(net.clock.now, id, CANCELLED));
    net.run(100);
    expect(a.told).toEqual(["parked x", "CANCELLED"]);
    expect(net.node("x").delivery.park.messages).toBe(0);
  });

  it("is said again when it passed the place before the message waited there", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    net.lose = ({ kind, at }) => kind === FRAME.reset && at < 10;
    const a = net.node("a");
    const id = a.send("b", { ttl: 30_000 });
    a.act(({ origin }) => origin.cancel(net.clock.now, id, CANCELLED));
    net.run(9);
    net.run(2_000);
    expect(a.told).toEqual(["CANCELLED"]);
    expect(net.node("x").delivery.park.messages).toBe(0);
  });

  it("of what runs reaches the work, again and again until it ends", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = a.send("b");
    net.run(100);
    net.lose = ({ kind, at }) => kind === FRAME.reset && at < 500;
    a.act(({ origin }) => origin.cancel(net.clock.now, id, CANCELLED));
    net.run(1_500);
    expect(b.told).toEqual(["cancel CANCELLED"]);
    b.end(id);
    net.run(100);
    expect(a.told).toEqual(["accepted", "end"]);
  });

  it("that arrives before the message refuses it", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    net.lose = ({ kind, at }) => kind === FRAME.message && at < 10;
    const id = a.send("b");
    const copy = net.flights[0];
    a.act(({ origin }) => origin.cancel(net.clock.now, id, CANCELLED));
    net.run(100);
    expect(a.told).toEqual(["CANCELLED"]);
    if (copy !== undefined) b.receive(copy.frame);
    net.run(100);
    expect(b.requests).toHaveLength(0);
  });
});

describe("Origin: streams, detach and attach", () => {
  const bytes = Uint8Array.from({ length: 700_000 }, (_, i) => (i * 31) & 0xff);

  it("sends a payload stream whole, whatever is lost, with its writer held back", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    let turn = 0;
    net.lose = ({ kind }) => (kind === FRAME.data || kind === FRAME.ack) && turn++ % 7 === 3;
    const got: Uint8Array[] = [];
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    b.onPayload = (id, part) => {
      got.push(part.slice());
      b.delivery.destination.consumed(net.clock.now, id, part.length);
    };
    const id = a.send("b", { streamed: true, payload: new Uint8Array(0) });
    let at = 0;
    let held = 0;
    const write = (): void => {
      while (at < bytes.length) {
        const part = bytes.subarray(at, at + 50_000);
        at += part.length;
        if (!a.act(({ origin }) => origin.following.writeInput(id, part))) {
          held++;
          return;
        }
      }
      a.act(({ origin }) => origin.following.endInput(id));
    };
    a.onWritable = write;
    write();
    net.run(60_000);
    expect(Buffer.concat(got).equals(bytes)).toBe(true);
    expect(held).toBeGreaterThan(0);
    expect(b.told).toEqual(["payload end"]);
  });

  it("goes on within half a second after routes change, also where the first probe is lost", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    const came: number[] = [];
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    b.onPayload = (id, part) => {
      came.push(net.clock.now);
      b.delivery.destination.consumed(net.clock.now, id, part.length);
    };
    const id = a.send("b", { streamed: true, payload: new Uint8Array(0) });
    net.run(10);
    net.lose = ({ at }) => at < 160;
    a.act(({ origin }) => origin.following.writeInput(id, bytes.subarray(0, 100_000)));
    b.act(({ destination }) => destination.respond(id, { content: "bytes", channel: undefined }, bytes.subarray(0, 40_000)));
    net.run(40);
    net.routes({});
    net.run(500);
    expect(came[0], "the payload").toBeLessThan(550);
    expect(a.received(id).length, "the response").toBeGreaterThan(40_000);
  });

  it("lets the work go on when it is no longer followed, and follows again from any response", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = a.send("b");
    net.run(10);
    a.act(({ origin }) => origin.detach(net.clock.now, id));
    net.run(10);
    for (let i = 0; i < 5; i++)
      b.act(({ destination }) => destination.respond(id, { content: "bytes", channel: undefined }, bytes.subarray(0, 40_000)));
    b.end(id);
    net.run(30_000);
    expect(net.over("b>a", FRAME.data)).toEqual([]);
    a.act(({ origin }) => origin.attach(net.clock.now, id, b.id, 4, 5_000));
    net.run(2_000);
    const serial = Number(a.told.find((what) => what.startsWith("attached"))?.slice(9));
    expect(serial).toBeGreaterThan(1);
    expect(serial).toBeLessThanOrEqual(4);
    expect(a.told.at(-1)).toBe("end");
    expect(a.received(id).length).toBeGreaterThan(40_000 * (6 - serial));
  });

  it("hears nothing of the stream of an earlier follower before it knows where its own begins", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = a.send("b");
    net.run(10);
    net.delay.set("b>a", 100);
    b.act(({ destination }) => destination.respond(id, { content: "bytes", channel: undefined }, bytes.subarray(0, 100)));
    net.run(50);
    a.act(({ origin }) => origin.detach(net.clock.now, id));
    a.act(({ origin }) => origin.attach(net.clock.now, id, b.id, 1, 5_000));
    net.run(60);
    expect(a.received(id)).toHaveLength(0);
    net.run(2_000);
    expect(a.told.at(-1)).toBe("attached 1");
    expect(a.received(id)).toHaveLength(108);
  });

  it("says UNKNOWN_WORK to who attaches to what never was, and TIMEOUT where nobody answers", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    const id = net.node("b").send("a");
    net.run(100);
    a.act(({ origin }) => origin.attach(net.clock.now, id, net.node("b").id, 1, 5_000));
    net.run(100);
    expect(a.told).toEqual(["UNKNOWN_WORK"]);
    net.lose = () => true;
    a.act(({ origin }) => origin.attach(net.clock.now, id, net.node("b").id, 1, 5_000));
    net.run(8_000);
    expect(a.told.at(-1)).toBe("TIMEOUT");
  });

  it("ends when the worker no longer knows the work, also where its receipt was lost", () => {
    const net = new Net(["a", "b"], { retention: 1_000 });
    const a = net.node("a");
    net.lose = ({ from, at }) => from === "b" && at < 6_000;
    a.send("b", { ttl: 60_000 });
    net.run(20_000);
    expect(a.told).toEqual(["RESPONSES_GONE"]);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("ends as WORK_INTERRUPTED when the worker restarted while the work ran", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    a.send("b");
    net.run(100);
    b.restart();
    net.run(100);
    expect(a.told).toEqual(["accepted", "WORK_INTERRUPTED"]);
  });
});

describe("Delivery.receive", () => {
  it("leaves alone what an unknown kind or a reset for nobody asks", () => {
    const net = new Net(["a", "b"]);
    const frame = layFrame(encodeError(CANCELLED));
    const [to, from] = [hashNodeId("a"), hashNodeId("b")];
    for (const kind of [99, FRAME.reset, FRAME.receipt, FRAME.confirm, FRAME.custody]) {
      writeRoutedHeader(new DataView(frame.buffer), 0, frame.length, {
        kind,
        flags: 0,
        hops: 0,
        destinationHigh: to.high,
        destinationLow: to.low,
        sourceHigh: from.high,
        sourceLow: from.low,
        ttl: 0,
        auxiliary: 0,
      });
      writeMessageId(frame, OFFSET.id, net.node("b").send("b"));
      if (kind !== FRAME.receipt) net.node("a").receive(frame.slice());
    }
    net.run(100);
    expect(net.node("a").told).toEqual([]);
  });
});
