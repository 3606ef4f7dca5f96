import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { layFrame } from "../../../src/wire/message.ts";
import { FLAG, FRAME, OFFSET, writeRoutedHeader } from "../../../src/wire/frame.ts";
import { writeMessageId } from "../../../src/wire/message-id.ts";
import { encodeError } from "../../../src/wire/outcome.ts";
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
    a.act(({ origin }) => origin.detach(id));
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

  it("get no more time by a wall clock that goes back while they wait, also in the lives after the one that sent them", () => {
    const net = new Net(["a", "b"]);
    const a = net.node("a");
    net.cut.add("a>b");
    a.send("b", { durable: true, ttl: 60_000 });
    net.run(100);
    a.restart();
    for (let life = 0; life < 2; life++) {
      net.run(25_000);
      a.wallOffset -= 3_600_000;
      a.restart();
    }
    expect(a.told).not.toContain("EXPIRED");
    // Each time what was not noted may be missing: 5 s.
    net.run(10_000 + 2 * 5_100 + 2_000);
    expect(a.told).toContain("EXPIRED");
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
