import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { CHUNK_AT } from "../../../src/delivery/frames.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { Net } from "./harness.ts";

const CANCELLED = new MeshError("CANCELLED", "no longer wanted");

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
      b.delivery.destination.consumed(id, part.length);
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

  it("sends a payload stream in whole chunks while more is written", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    const id = a.send("b", { streamed: true, payload: new Uint8Array(0) });
    net.run(10);
    while (a.delivery.origin.following.writeInput(id, new Uint8Array(1_000)));
    const lengths = net.over("a>b", FRAME.data).map(({ frame }) => frame.length - CHUNK_AT);
    const whole = lengths.filter((length) => length === LIMITS.chunk).length;
    expect(whole).toBeGreaterThanOrEqual(6);
    expect(lengths.length - whole).toBeLessThanOrEqual(5);
  });

  it("goes on within half a second after routes change, also where the first probe is lost", () => {
    const net = new Net(["a", "b"]);
    const { a, b } = { a: net.node("a"), b: net.node("b") };
    const came: number[] = [];
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    b.onPayload = (id, part) => {
      came.push(net.clock.now);
      b.delivery.destination.consumed(id, part.length);
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
    a.act(({ origin }) => origin.detach(id));
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
    a.act(({ origin }) => origin.detach(id));
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
