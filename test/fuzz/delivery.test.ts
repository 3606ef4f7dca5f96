import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isMeshError } from "../../src/core/errors.ts";
import { hashNodeId } from "../../src/core/node-hash.ts";
import { FRAME, type FrameKind, OFFSET, ROUTED_HEADER, writeRoutedHeader } from "../../src/wire/frame.ts";
import { type Flight, Net } from "../unit/delivery/harness.ts";

const KINDS: readonly FrameKind[] = [
  FRAME.message,
  FRAME.receipt,
  FRAME.notice,
  FRAME.data,
  FRAME.ack,
  FRAME.reset,
  FRAME.echo,
  FRAME.echoReply,
  FRAME.attach,
  FRAME.confirm,
  FRAME.custody,
];

/** Three nodes with a work that runs at each end, one that waits and one that is attached to; and every frame that this took. */
function busy(): { net: Net; flights: readonly Flight[] } {
  const net = new Net(["a", "x", "b"], { park: { messages: 50, bytes: 200_000 } });
  net.via.set("a>b", "x");
  net.via.set("b>a", "x");
  for (const name of ["a", "b"]) net.node(name).onRequest = ({ id }) => net.node(name).delivery.destination.accept(id);
  const followed = net.node("a").send("b", { streamed: true, hold: true });
  net.node("b").send("a", { durable: true });
  net.node("a").act(({ origin }) => origin.following.writeInput(followed, new Uint8Array(5_000)));
  net.node("a").act(({ echo }) => echo.ask(followed, net.node("b").id));
  net.run(50);
  net.node("b").act(({ destination }) => destination.respond(followed, { content: "text", channel: "out" }, new Uint8Array(2_000)));
  net.node("x").act(({ origin }) => origin.attach(net.clock.now, followed, net.node("b").id, 1, 5_000));
  net.run(50);
  net.cut.add("x>b");
  net.node("a").send("b");
  net.run(50);
  return { net, flights: [...net.flights] };
}

const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
const input = fc.record({
  node: fc.constantFrom("a", "x", "b"),
  towards: fc.constantFrom("a", "x", "b", "?"),
  kind: fc.constantFrom(...KINDS),
  like: fc.nat(),
  random: fc.option(fc.uint8Array({ maxLength: 300 }), { freq: 3 }),
  changes: fc.array(change, { maxLength: 6 }),
  cut: fc.nat(200),
});

describe("Delivery.receive", () => {
  it("answers whatever comes with MeshErrors alone, in bounded memory and time", () => {
    let inputs = 0;
    let spent = 0;
    fc.assert(
      fc.property(fc.array(input, { minLength: 20, maxLength: 60 }), (list) => {
        const { net, flights } = busy();
        for (const { node, towards, kind, like, random, changes, cut } of list) {
          const models = flights.filter((flight) => flight.kind === kind);
          const model = models[like % Math.max(1, models.length)];
          const body = random ?? model?.frame.subarray(ROUTED_HEADER) ?? new Uint8Array(0);
          const frame = new Uint8Array(ROUTED_HEADER + Math.max(0, body.length - (cut > 150 ? cut - 150 : 0)));
          frame.set(body.subarray(0, frame.length - ROUTED_HEADER), ROUTED_HEADER);
          const [to, from] = [hashNodeId(towards), hashNodeId(like % 2 === 0 ? "a" : "b")];
          writeRoutedHeader(new DataView(frame.buffer), 0, frame.length, {
            kind,
            flags: like % 64,
            hops: like % 40,
            destinationHigh: to.high,
            destinationLow: to.low,
            sourceHigh: from.high,
            sourceLow: from.low,
            ttl: like % 5 === 0 ? 0xffff_ffff : like % 10_000,
            auxiliary: like % 3,
          });
          if (model !== undefined) frame.set(model.frame.subarray(OFFSET.id, ROUTED_HEADER), OFFSET.id);
          for (const { at, byte } of changes) frame[OFFSET.ttl + (at % (frame.length - OFFSET.ttl))] = byte;
          const began = performance.now();
          try {
            net.node(node).receive(frame);
          } catch (error) {
            if (!isMeshError(error)) throw error;
          }
          spent += performance.now() - began;
          inputs++;
        }
        const began = performance.now();
        net.run(5_000);
        spent += performance.now() - began;
        for (const { delivery } of net.nodes.values()) {
          expect(delivery.park.messages).toBeLessThanOrEqual(50);
          expect(delivery.park.bytes).toBeLessThanOrEqual(200_000);
          expect(delivery.destination.size).toBeLessThanOrEqual(list.length + 5);
          expect(delivery.origin.size).toBeLessThanOrEqual(5);
        }
      }),
      { numRuns: 150 },
    );
    expect(spent / inputs, "milliseconds an input").toBeLessThan(1);
  });

  it("holds no more than its quota of what strangers want to wait", () => {
    const net = new Net(["a", "x", "b"], { park: { messages: 20, bytes: 100_000 } });
    net.via.set("a>b", "x");
    net.cut.add("x>b");
    for (let i = 0; i < 500; i++) net.node("a").send("b", { payload: new Uint8Array(10_000) });
    net.run(100);
    expect(net.node("x").delivery.park.bytes).toBeLessThanOrEqual(100_000);
    expect(net.node("a").told.filter((what) => what === "STORE_FULL").length).toBe(500 - net.node("x").delivery.park.messages);
  });
});
