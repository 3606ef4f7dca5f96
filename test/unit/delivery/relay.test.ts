import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { messageId, nodeId } from "../../../src/core/ids.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { FRAME, OFFSET } from "../../../src/wire/frame.ts";
import { decodeNotice, type Notice } from "../../../src/wire/outcome.ts";
import { Net } from "./harness.ts";

const ECHO = messageId("00000000-0000-8000-8000-000000000001");

function noticesOf(net: Net, way: string): Notice[] {
  return net.over(way, FRAME.notice).map(({ frame }) => decodeNotice(frame.subarray(48)));
}

/** a reaches b by x only. */
function line(options: ConstructorParameters<typeof Net>[1] = {}): Net {
  const net = new Net(["a", "x", "b"], options);
  net.via.set("a>b", "x");
  net.via.set("b>a", "x");
  return net;
}

describe("Relay", () => {
  it("sends on what is for others, with one hop more and nothing else changed", () => {
    const net = line();
    net.node("a").send("b");
    net.run(100);
    const [before] = net.over("a>x", FRAME.message);
    const [after] = net.over("x>b", FRAME.message);
    expect(after?.hops).toBe(1);
    const expected = before?.frame.slice() ?? new Uint8Array(0);
    expected[OFFSET.hops] = 1;
    expect(after?.frame).toEqual(expected);
    expect(net.node("x").delivery.relay.counts.forwarded).toBe(net.over("x>b").length + net.over("x>a").length);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
  });

  it("ends a message at the hop limit and tells its origin where; other kinds end in silence", () => {
    const net = line();
    net.lose = ({ from, to }) => from === "a" && to === "x";
    net.node("a").send("b", { ttl: 0 });
    net.run(1);
    const frame = net.flights[0]?.frame ?? new Uint8Array(0);
    for (const kind of [FRAME.message, FRAME.notice, FRAME.receipt, FRAME.data]) {
      const copy = frame.slice();
      copy[OFFSET.kind] = kind;
      copy[OFFSET.hops] = LIMITS.hops;
      net.node("x").receive(copy);
    }
    net.run(10);
    expect(noticesOf(net, "x>a")).toEqual([{ type: "failed", node: "x", error: expect.objectContaining({ code: "HOP_LIMIT" }) }]);
    expect(net.over("x>b")).toEqual([]);
    expect(net.node("x").delivery.relay.counts.hopLimit).toBe(4);
  });

  it("refuses with NO_ROUTE what may not wait, and everything where it does not park", () => {
    for (const [net, ttl] of [
      [line(), 0],
      [line({ parks: false }), 60_000],
    ] as const) {
      net.cut.add("x>b");
      net.node("a").send("b", { ttl });
      net.run(100);
      expect(net.node("a").told).toEqual(["NO_ROUTE"]);
      expect(net.node("a").errors[0]?.data).toEqual({ where: "x" });
      expect(net.node("x").delivery.park.messages).toBe(0);
    }
  });

  it("a message that is purged where it waits, at a relay or its origin, ends as cancelled for its sender, who is told where", () => {
    for (const where of ["x", "a"]) {
      const net = line();
      net.cut.add("x>b");
      if (where === "a") net.cut.add("a>x");
      net.node("a").send("b", { ttl: 9_000 });
      net.run(100);
      const { delivery } = net.node(where);
      for (const parked of delivery.park.list()) delivery.purge(parked);
      net.run(100);
      expect(net.node("a").told.slice(-2)).toEqual([`parked ${where}`, "CANCELLED"]);
      expect(net.node("a").errors[0]?.data).toEqual({ where });
      expect(delivery.park.messages).toBe(0);
      expect(net.node(where).kept).toBe(0);
    }
  });

  it("tells the origin that its message waits when it is on the disk, with the time left", () => {
    const net = line();
    net.cut.add("x>b");
    net.node("a").send("b", { ttl: 9_000 });
    net.run(2);
    expect(noticesOf(net, "x>a")).toEqual([]);
    net.run(10);
    expect(noticesOf(net, "x>a")).toEqual([{ type: "parked", node: "x", ttl: 9_000 }]);
    expect(net.node("x").kept).toBe(1);
  });

  it("refuses with STORE_FULL, told to the origin, what has no room here", () => {
    const net = line({ park: { messages: 1, bytes: 100_000 } });
    net.cut.add("x>b");
    net.node("a").send("b");
    net.node("a").send("b");
    net.run(100);
    expect(net.node("a").told.toSorted()).toEqual(["STORE_FULL", "parked x"]);
  });

  it("does not end a message with STORE_FULL while another copy may have arrived", () => {
    const net = line();
    net.lose = ({ from }) => from === "b";
    net.node("a").send("b");
    net.run(500);
    expect(net.node("b").requests).toHaveLength(1);
    net.node("x").store.fail("STORE_FULL");
    net.routes({ cut: ["x>b"] });
    net.run(3_000);
    expect(noticesOf(net, "x>a").map(({ type }) => type)).toContain("failed");
    expect(net.node("a").told).toEqual([]);
    net.lose = () => false;
    net.routes({ open: ["x>b"] });
    net.run(3_000);
    expect(net.node("a").told).toEqual(["accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("ends a message with STORE_FULL when that is the answer to each copy", () => {
    const net = line();
    net.cut.add("x>b");
    net.node("x").store.fail("STORE_FULL");
    net.lose = ({ from, at }) => from === "x" && at < 900;
    net.node("a").send("b");
    net.run(1_500);
    const [first, second] = net.over("x>a", FRAME.notice);
    expect(second).toBeDefined();
    expect(net.node("a").told).toEqual([]);
    // The first answer took so long.
    net.node("a").receive(first?.frame.slice() ?? new Uint8Array(0));
    net.run(100);
    expect(net.node("a").told).toEqual(["STORE_FULL"]);
  });

  it("knows by a second copy that its origin has not left the message here", () => {
    const net = line();
    net.cut.add("x>b");
    net.node("a").send("b");
    net.run(100);
    const isLeft = (): boolean => [...net.node("x").delivery.park.list()][0]?.custody === true;
    expect(isLeft()).toBe(true);
    net.node("x").receive(net.flights[0]?.frame.slice() ?? new Uint8Array(0));
    expect(isLeft()).toBe(false);
    expect(net.node("x").delivery.park.messages).toBe(1);
  });

  it("takes word that a message is left here only from its origin", () => {
    const net = line();
    net.cut.add("x>b");
    net.lose = ({ kind }) => kind === FRAME.custody;
    net.node("a").send("b");
    net.run(100);
    const [custody] = net.over("a>x", FRAME.custody);
    const isLeft = (): boolean => [...net.node("x").delivery.park.list()][0]?.custody === true;
    const forged = custody?.frame.slice() ?? new Uint8Array(0);
    forged[OFFSET.source] = (forged[OFFSET.source] ?? 0) ^ 1;
    net.node("x").receive(forged);
    expect(isLeft()).toBe(false);
    net.node("x").receive(custody?.frame.slice() ?? new Uint8Array(0));
    expect(isLeft()).toBe(true);
  });

  it("says nothing about a notice, a receipt or a chunk that finds no way", () => {
    const net = line();
    net.cut.add("x>a");
    net.node("b").onRequest = ({ id }) => net.node("b").delivery.destination.refuse(net.clock.now, id, new MeshError("BUSY", "no"));
    net.node("a").send("b", { ttl: 3_000 });
    net.run(10_000);
    expect(net.over("x>b").every(({ kind }) => kind === FRAME.message)).toBe(true);
    expect(net.node("x").delivery.relay.counts.noRoute).toBeGreaterThan(0);
    expect(net.node("x").delivery.park.messages).toBe(0);
    expect(net.flights.filter(({ kind }) => kind === FRAME.notice)).toEqual([]);
  });

  it("puts a message behind those that wait already for its destination", () => {
    const net = line();
    net.cut.add("x>b");
    const first = net.node("a").send("b");
    net.run(100);
    net.cut.delete("x>b");
    const second = net.node("a").send("b");
    net.run(100);
    expect(net.node("b").requests.map(({ id }) => id)).toEqual([first, second]);
  });

  it("keeps what it was left with when the way closes as it leaves", () => {
    const net = line();
    net.cut.add("x>b");
    net.node("a").send("b");
    net.run(100);
    net.routes({ open: ["x>b"] });
    net.run(3);
    net.cut.add("x>b");
    net.run(2_000);
    const [parked] = [...net.node("x").delivery.park.list()];
    expect(parked?.custody).toBe(true);
    expect(noticesOf(net, "x>a").map(({ type }) => type)).toEqual(["parked"]);
    net.routes({ open: ["x>b"] });
    net.run(100);
    expect(net.node("a").told).toEqual(["parked x", "accepted", "end"]);
  });

  it("binds nothing anew that comes by here again on its way from this very node", () => {
    const net = new Net(["a", "x", "b"]);
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    net.lose = ({ kind }) => kind === FRAME.notice;
    const a = net.node("a");
    a.send("b");
    net.run(500);
    // A second copy finds another way, runs and ends, while the first still waits at x.
    net.via.set("a>b", "b");
    net.routes({});
    net.run(500);
    expect(a.told).toEqual(["accepted", "end"]);
    // The first goes back over a, has to wait there, and finds b in its next life.
    net.via.set("x>b", "a");
    net.cut.add("a>b");
    net.routes({});
    net.run(100);
    expect(a.delivery.park.messages).toBe(1);
    net.node("b").restart();
    net.run(100);
    net.routes({ open: ["a>b"] });
    net.run(5_000);
    expect(net.over("a>b", FRAME.message)).toHaveLength(2);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("says again what waits here after a restart", () => {
    const net = line();
    net.cut.add("x>b");
    net.node("a").send("b", { durable: true });
    net.run(100);
    net.node("x").restart({ off: 1_000 });
    net.run(10);
    expect(noticesOf(net, "x>a").map(({ type }) => type)).toEqual(["parked", "parked"]);
    net.routes({ open: ["x>b"] });
    net.run(100);
    expect(net.node("a").told).toEqual(["parked x", "accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(1);
  });
});

describe("Echo", () => {
  it("answers with what the node says of itself and the links that were crossed", () => {
    const net = line();
    expect(net.node("a").act(({ echo }) => echo.ask(ECHO, nodeId("b")))).toBe(true);
    net.run(10);
    expect(net.node("a").echoes).toEqual([{ node: "b", version: "1.2.3", running: 1, queued: 2, hops: 2 }]);
  });

  it("is answered by the node that is so many links away", () => {
    const net = line();
    for (const reach of [1, 2]) net.node("a").act(({ echo }) => echo.ask(ECHO, nodeId("b"), reach));
    net.run(10);
    expect(net.node("a").echoes.map(({ node }) => node)).toEqual(["x", "b"]);
  });

  it("says so where there is no way", () => {
    const net = line();
    net.cut.add("a>x");
    expect(net.node("a").act(({ echo }) => echo.ask(ECHO, nodeId("b")))).toBe(false);
  });
});
