import { describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import type { MessageId } from "../../../src/core/ids.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { encodeAcknowledgements } from "../../../src/wire/acknowledgement.ts";
import { encode } from "../../../src/wire/codec.ts";
import { FLAG, FRAME, OFFSET, ROUTED_HEADER, writeRoutedHeader } from "../../../src/wire/frame.ts";
import { encodeMetadata, layMessage } from "../../../src/wire/message.ts";
import { writeMessageId } from "../../../src/wire/message-id.ts";
import { decodeError, decodeNotice, decodeReceipt, encodeError, encodeNotice, encodeReceipt } from "../../../src/wire/outcome.ts";
import { Net } from "./harness.ts";

const CANCELLED = new MeshError("CANCELLED", "stop");
const NOTHING = new Uint8Array(0);

interface Facts {
  readonly kind: number;
  readonly id: MessageId;
  readonly flags?: number;
  readonly auxiliary?: number;
  readonly ttl?: number;
  readonly body?: Uint8Array;
}

function written(from: string, to: string, { kind, id, flags = 0, auxiliary = 0, ttl = 0, body = NOTHING }: Facts): Uint8Array {
  const frame = new Uint8Array(ROUTED_HEADER + body.length);
  const [there, here] = [hashNodeId(to), hashNodeId(from)];
  const ways = { destinationHigh: there.high, destinationLow: there.low, sourceHigh: here.high, sourceLow: here.low };
  writeRoutedHeader(new DataView(frame.buffer), 0, frame.length, { kind, flags, hops: 0, ttl, auxiliary, ...ways });
  writeMessageId(frame, OFFSET.id, id);
  frame.set(body, ROUTED_HEADER);
  return frame;
}

/** A frame of `from` comes to `to`, and what it leads to happens. */
function say(net: Net, from: string, to: string, facts: Facts): void {
  net.node(to).arrive(written(from, to, facts));
  net.run(20);
}

/** A message of another with an id that it has seen. */
function used(net: Net, from: string, to: string, id: MessageId): void {
  const metadata = encodeMetadata(nodeId(from), "test:run", {});
  const frame = layMessage(metadata, { deadline: undefined, floor: 0, payload: Uint8Array.of(6) });
  say(net, from, to, { kind: FRAME.message, id, ttl: 9_000, auxiliary: net.node(to).life, body: frame.slice(ROUTED_HEADER) });
}

function receiptsTo(net: Net, name: string): unknown[] {
  return net.over(`b>${name}`, FRAME.receipt).map(({ frame }) => {
    const receipt = decodeReceipt(frame.subarray(ROUTED_HEADER));
    return receipt.type === "refused" ? receipt.error.code : receipt.type;
  });
}

function copyOf(net: Net, way = "a>b"): Uint8Array {
  return net.over(way, FRAME.message)[0]?.frame.slice() ?? NOTHING;
}

/** a reaches b by x only. */
function line(options: ConstructorParameters<typeof Net>[1] = {}): Net {
  const net = new Net(["a", "x", "b"], options);
  net.via.set("a>b", "x");
  net.via.set("b>a", "x");
  return net;
}

const BUSY = encodeReceipt({ type: "refused", error: new MeshError("BUSY", "no") });
const STALE = encodeReceipt({ type: "stale", life: 5, resent: false });
const CHUNK = new Uint8Array(8 + 5);

describe("Origin: what another node says than the destination", () => {
  it.each([
    ["accepted", { kind: FRAME.receipt }],
    ["refused", { kind: FRAME.receipt, body: BUSY }],
    ["stale", { kind: FRAME.receipt, body: STALE }],
    ["a chunk of the answer", { kind: FRAME.data, flags: FLAG.fin | FLAG.accepted, body: CHUNK }],
    ["a reset", { kind: FRAME.reset, body: encodeError(new MeshError("RESPONSES_GONE", "gone")) }],
  ])("does nothing: %s", (_what, facts) => {
    for (const from of ["x", "b"]) {
      const net = new Net(["a", "b", "x"]);
      net.lose = ({ to }) => to === "b";
      const id = net.node("a").send("b");
      net.run(100);
      const sent = net.over("a>b").length;
      say(net, from, "a", { ...facts, id });
      expect(net.node("a").told.length > 0 || net.over("a>b").length > sent, `${from} is heard`).toBe(from === "b");
    }
  });

  it("does nothing: an acknowledgement of the payload, which would let more of it flow, or be over", () => {
    const net = new Net(["a", "b", "x"]);
    const [a, b] = [net.node("a"), net.node("b")];
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    b.onPayload = () => undefined;
    const id = a.send("b", { streamed: true, payload: NOTHING });
    for (let i = 0; i < 20; i++) a.act(({ origin }) => origin.following.writeInput(id, new Uint8Array(20_000)));
    a.act(({ origin }) => origin.following.endInput(id));
    net.run(200);
    const chunks = net.over("a>b", FRAME.data).length;
    const facts = {
      id,
      upward: true,
      gap: false,
      probed: false,
      done: false,
      detached: false,
      generation: 0,
      offset: 262_144,
      window: 900_000,
    };
    const body = encodeAcknowledgements([facts]).slice(ROUTED_HEADER);
    say(net, "x", "a", { kind: FRAME.ack, id, body });
    expect(net.over("a>b", FRAME.data)).toHaveLength(chunks);
    say(net, "b", "a", { kind: FRAME.ack, id, body });
    expect(net.over("a>b", FRAME.data).length).toBeGreaterThan(chunks);
  });

  it("does nothing: a notice in the name of a third; one in its own name does", () => {
    for (const [node, heard] of [
      ["b", false],
      ["x", true],
    ] as const) {
      const net = new Net(["a", "b", "x"]);
      net.lose = ({ to }) => to === "b";
      const id = net.node("a").send("b");
      net.run(100);
      const error = new MeshError("NO_ROUTE", "no way");
      say(net, "x", "a", { kind: FRAME.notice, id, body: encodeNotice({ type: "failed", node: nodeId(node), error }) });
      expect(net.node("a").told).toEqual(heard ? ["NO_ROUTE"] : []);
    }
  });

  it("counts for one copy where it says EXPIRED before the time is over", () => {
    const net = new Net(["a", "b", "x"]);
    net.lose = ({ to }) => to === "b";
    const id = net.node("a").send("b", { ttl: 60_000 });
    net.run(2_000);
    const copies = net.over("a>b", FRAME.message).length;
    expect(copies).toBeGreaterThan(1);
    const error = new MeshError("EXPIRED", "over");
    const body = encodeNotice({ type: "failed", node: nodeId("x"), error });
    for (let i = 1; i < copies; i++) say(net, "x", "a", { kind: FRAME.notice, id, body });
    expect(net.node("a").told).toEqual([]);
    say(net, "x", "a", { kind: FRAME.notice, id, body });
    expect(net.node("a").told).toEqual(["EXPIRED"]);
  });
});

describe("Destination: what another node says than the sender", () => {
  it.each([
    ["a cancel", "cancel CANCELLED", { kind: FRAME.reset, flags: FLAG.upward, body: encodeError(CANCELLED) }],
    ["a confirmation", "confirm", { kind: FRAME.confirm }],
    ["the rest of a payload", "payload end", { kind: FRAME.data, flags: FLAG.upward | FLAG.fin, body: CHUNK }],
  ])("does nothing: %s", (_what, told, facts) => {
    const net = new Net(["a", "b", "x"]);
    const b = net.node("b");
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    // Its confirmations are lost.
    net.lose = ({ kind }) => kind === FRAME.confirm;
    const id = net.node("a").send("b", { hold: true, streamed: true, payload: NOTHING });
    net.run(50);
    say(net, "x", "b", { ...facts, id });
    expect(b.told).toEqual([]);
    say(net, "a", "b", { ...facts, id });
    expect(b.told).toEqual([told]);
  });

  it("does nothing: a cancel that comes before the message", () => {
    for (const [from, requests] of [
      ["x", 1],
      ["a", 0],
    ] as const) {
      const net = new Net(["a", "b", "x"]);
      net.lose = ({ kind }) => kind === FRAME.message;
      const id = net.node("a").send("b");
      net.run(10);
      say(net, from, "b", { kind: FRAME.reset, id, flags: FLAG.upward, body: encodeError(CANCELLED) });
      net.node("b").arrive(copyOf(net));
      net.run(10);
      expect(net.node("b").requests).toHaveLength(requests);
    }
  });

  it("is denied, where it is a message with the id of another, and harms nobody", () => {
    const net = new Net(["a", "b", "x"]);
    const id = net.node("a").send("b");
    net.run(50);
    used(net, "x", "b", id);
    expect(receiptsTo(net, "x")).toEqual(["DENIED"]);
    expect(net.node("b").requests).toHaveLength(1);
    net.node("a").send("b");
    net.run(50);
    expect(net.node("a").told).toEqual(["accepted", "end", "accepted", "end"]);
  });

  it("takes from its owner nothing but that id, where it is a message that came first", () => {
    const net = new Net(["a", "b", "x"]);
    net.cut.add("a>b");
    const first = net.node("a").send("b", { ttl: 0 });
    net.run(50);
    used(net, "x", "b", first);
    expect(net.node("b").requests.map(({ sender }) => sender)).toEqual(["x"]);
    net.routes({ open: ["a>b"] });
    net.node("a").send("b");
    net.run(50);
    expect(net.node("a").told.slice(-2)).toEqual(["accepted", "end"]);
  });

  it("is refused, where it would follow a work that it may not", () => {
    const net = new Net(["a", "b", "x"]);
    net.node("b").shares = false;
    const id = net.node("a").send("b");
    net.run(50);
    say(net, "x", "b", { kind: FRAME.attach, id, body: encode({ f: 1 }) });
    expect(receiptsTo(net, "x")).toEqual(["DENIED"]);
    say(net, "a", "b", { kind: FRAME.attach, id, body: encode({ f: 1 }) });
    expect(receiptsTo(net, "a")).toContain("attached");
  });
});

describe("Destination: the journal", () => {
  it("knows a durable message in a later life, when nothing else does any more", () => {
    const net = new Net(["a", "b"], { late: { seen: 1_000, journal: 10_000_000 }, retention: 1_000 });
    const b = net.node("b");
    net.node("a").send("b", { durable: true, ttl: 5_000 });
    net.run(100);
    b.restart();
    net.run(200_000);
    expect(b.delivery.destination.size).toBe(0);
    b.arrive(copyOf(net));
    net.run(50);
    expect(b.requests).toHaveLength(1);
    expect(decodeError(net.over("b>a", FRAME.reset).at(-1)?.frame.subarray(ROUTED_HEADER) ?? NOTHING).code).toBe("RESPONSES_GONE");
  });
});

describe("Relay: what is sealed", () => {
  it.each([true, false])("is not bound to another life by who waits with it: sealed %s", (sealed) => {
    const net = line();
    net.node("a").believes = { life: 1 };
    net.cut.add("x>b");
    net.lose = ({ from }) => from === "a";
    const id = net.node("a").send("b");
    net.run(5);
    const frame = copyOf(net, "a>x");
    if (sealed) frame[OFFSET.flags] = (frame[OFFSET.flags] ?? 0) | FLAG.sealed;
    net.node("x").arrive(frame);
    net.run(50);
    say(net, "a", "x", { kind: FRAME.custody, id, auxiliary: 1 });
    net.node("b").restart();
    net.routes({ open: ["x>b"] });
    net.run(50);
    const [released] = net.over("x>b", FRAME.message);
    expect(released?.auxiliary).toBe(sealed ? 1 : 2);
    const notices = net.over("x>a", FRAME.notice).map((flight) => decodeNotice(flight.frame.subarray(ROUTED_HEADER)));
    expect(notices.at(-1)).toEqual({ type: "released", node: "x", life: sealed ? 1 : 2 });
  });

  it("is taken back by its sender with a cancel that nobody on the way can read", () => {
    const net = line();
    net.cut.add("x>b");
    const id = net.node("a").send("b");
    net.run(50);
    expect(net.node("x").delivery.park.messages).toBe(1);
    const garbage = { kind: FRAME.reset, flags: FLAG.upward | FLAG.sealed, id, body: new Uint8Array(60).fill(0xc1) };
    net.node("x").arrive(written("b", "b", garbage));
    net.run(50);
    expect(net.node("x").delivery.park.messages).toBe(1);
    net.node("x").arrive(written("a", "b", garbage));
    net.run(50);
    expect(net.node("x").delivery.park.messages).toBe(0);
    expect(net.node("a").told.at(-1)).toBe("CANCELLED");
  });
});

describe("Origin: a message that another node waits with", () => {
  it.each([true, false])("is bound anew by its origin, when its destination says so, unless keepers bind (%s)", (keepersBind) => {
    const net = line({ keepersBind });
    // As one that is sealed: it is sent on as it came.
    net.node("x").believes = { life: 1 };
    net.cut.add("x>b");
    net.node("a").send("b");
    net.run(500);
    expect(net.node("a").told).toEqual(["parked x"]);
    net.node("b").restart();
    net.run(50);
    net.lose = ({ kind }) => kind === FRAME.notice;
    net.routes({ open: ["x>b"] });
    net.run(50);
    expect(receiptsTo(net, "x")).toContain("stale");
    expect(net.node("b").requests).toHaveLength(keepersBind ? 0 : 1);
    if (!keepersBind) expect(net.node("a").told.slice(-2)).toEqual(["accepted", "end"]);
  });
});
