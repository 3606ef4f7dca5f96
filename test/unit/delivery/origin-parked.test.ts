import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { layFrame } from "../../../src/wire/message.ts";
import { FLAG, FRAME, OFFSET, writeRoutedHeader } from "../../../src/wire/frame.ts";
import { writeMessageId } from "../../../src/wire/message-id.ts";
import { decodeNotice, encodeNotice } from "../../../src/wire/outcome.ts";
import { Net } from "./harness.ts";

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

  it("asks after a message of which it sent more copies too, and sends it again when what went on from there was lost", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    const a = net.node("a");
    a.send("b", { durable: true });
    net.run(100);
    // It goes on from x and is lost; nothing that changes routes at its origin has happened.
    net.lose = ({ kind, from }) => from === "x" && kind === FRAME.message;
    net.cut.delete("x>b");
    net.node("x").act((delivery) => delivery.routesChanged(net.clock.now));
    net.run(1_000);
    net.lose = () => false;
    expect(net.node("x").delivery.park.messages).toBe(0);
    net.run(10_000);
    expect(net.over("a>x", FRAME.custody).map(({ flags }) => flags)).toEqual([FLAG.probe | FLAG.resent]);
    expect(net.node("b").requests).toHaveLength(1);
    expect(a.told).toEqual(["parked x", "accepted", "end"]);
  });

  it("asks after it at growing distances, and leaves nothing to the node where it sent more copies", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    const a = net.node("a");
    a.send("b", { durable: true, ttl: 600_000 });
    net.run(300_000);
    const asked = net.over("a>x", FRAME.custody).map(({ at }) => Math.round(at / 1_000));
    expect(asked).toEqual([5, 15, 35, 75, 135, 195, 255]);
    expect([...net.node("x").delivery.park.list()].map(({ custody }) => custody)).toEqual([false]);
    expect(a.told).toEqual(["parked x"]);
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
