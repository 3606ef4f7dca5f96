import { describe, expect, it } from "vitest";
import { FRAME } from "../../../src/wire/frame.ts";
import { Net, type Peer } from "./harness.ts";
import type { Entry } from "../../../src/storage/store.ts";

/** a - x - b, and no way from x to b. */
function line(): Net {
  const net = new Net(["a", "x", "b"]);
  for (const way of ["a>b", "b>a"]) net.via.set(way, "x");
  net.cut.add("x>b");
  return net;
}

function keysOf(net: Net, node: Peer, prefix: string): string[] {
  const keys: string[] = [];
  const take = (entries: readonly Entry[]): void => void keys.push(...entries.map(({ key }) => key));
  node.store.scan({ from: prefix, to: `${prefix}~` }, take, () => undefined);
  net.run(10);
  return keys;
}

/** Takes the records of one kind off a node's disk behind its back. */
function lose(net: Net, node: Peer, prefix: string): number {
  const keys = keysOf(net, node, prefix);
  node.store.write(
    keys.map((key) => ({ type: "delete", key })),
    () => undefined,
  );
  net.run(10);
  return keys.length;
}

describe("a parked message that the disk has lost", () => {
  it.each([false, true])("at a relay is sent again by its origin, and runs once (durable: %s)", (durable) => {
    const net = line();
    const a = net.node("a");
    a.send("b", { durable });
    net.run(100);
    expect(a.told).toEqual(["parked x"]);
    expect(lose(net, net.node("x"), "park/")).toBe(1);
    net.routes({ open: ["x>b"] });
    net.run(500);
    expect(net.node("x").told).toContain("lost 1 parked");
    expect(a.told).toEqual(["parked x", "accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("at its origin goes from memory, and runs once", () => {
    const net = line();
    net.cut.add("a>x");
    const a = net.node("a");
    a.send("b");
    net.run(100);
    expect(a.told.slice(-1)).toEqual(["parked a"]);
    expect(lose(net, a, "park/")).toBe(1);
    net.routes({ open: ["a>x", "x>b"] });
    net.run(100);
    expect(a.told.slice(-3)).toEqual(["lost 1 parked", "accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("at a relay runs once also where its destination began another life meanwhile: no copy had left", () => {
    const net = line();
    const a = net.node("a");
    a.send("b");
    net.run(100);
    lose(net, net.node("x"), "park/");
    net.node("b").restart();
    net.routes({ open: ["x>b"] });
    net.run(2_000);
    expect(a.told).toEqual(["parked x", "accepted", "end"]);
    expect(net.node("b").requests).toHaveLength(1);
  });

  it("ends as EXPIRED where there is no way before its time is over", () => {
    const net = line();
    const a = net.node("a");
    a.send("b", { ttl: 1_000 });
    net.run(100);
    lose(net, net.node("x"), "park/");
    net.run(4_000);
    expect(a.told).toEqual(["parked x", "EXPIRED"]);
  });
});

describe("a journal that the disk has damaged", () => {
  /** A durable work that runs at b when b stops; its journal record is changed meanwhile. */
  function interrupted(change: (value: Uint8Array) => Uint8Array): { net: Net; a: Peer; b: Peer } {
    const net = new Net(["a", "b"]);
    const [a, b] = [net.node("a"), net.node("b")];
    b.onRequest = ({ id }) => b.delivery.destination.accept(id);
    // Its receipt is lost, so it will be sent again.
    net.cut.add("b>a");
    a.send("b", { durable: true });
    net.run(50);
    expect(b.requests).toHaveLength(1);
    const [key] = keysOf(net, b, "journal/");
    b.store.get(key ?? "", (_error, value) => {
      if (value !== undefined) b.store.write([{ type: "put", key: key ?? "", value: change(value.slice()) }], () => undefined);
    });
    net.run(10);
    b.restart();
    net.routes({ open: ["b>a"] });
    net.run(5_000);
    return { net, a, b };
  }

  it.each<[string, (value: Uint8Array) => Uint8Array]>([
    ["whose message cannot be read", (value) => value.fill(0xc1, 1 + 48 + 10)],
    ["that was cut", (value) => value.slice(0, 5)],
    ["in no known state", (value) => value.fill(0x90, 0, 1)],
  ])("does not keep its node from starting, nor run a work twice: a record %s", (_what, change) => {
    const { net, a, b } = interrupted(change);
    expect(b.told).toContain("lost 1 journal");
    expect(b.requests).toHaveLength(1);
    expect(a.told.at(-1)).toBe("RESPONSES_GONE");
    expect(net.over("a>b", FRAME.message).length).toBeGreaterThan(1);
  });
});
