import { describe, expect, it } from "vitest";
import { type NodeId, nodeId } from "../../../src/core/ids.ts";
import { Routing, type RoutingEffect } from "../../../src/routing/machine.ts";
import { type Advertisement, decodeAdvertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { BATCH_FLAG, BatchWriter, encodeDigest, readBatch, readPull } from "../../../src/wire/digest.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { type Cable, drawn, FakeMesh, seeded } from "./fake-mesh.ts";

const id = nodeId;
const BOOT = "00112233445566778899aabbccddeeff";

function said(node: string, changes: Partial<Advertisement> = {}): Advertisement {
  return {
    node: id(node),
    epoch: 1,
    sequence: 1,
    boot: BOOT,
    uptime: 0,
    links: [],
    groups: [],
    plugins: [],
    load: { running: 0, queued: 0 },
    leaf: false,
    draining: false,
    ephemeral: false,
    withdrawn: false,
    version: "0.1.0",
    ...changes,
  };
}

function batch(advertisements: readonly Advertisement[], flags = 0, age = 0): Uint8Array {
  const writer = new BatchWriter(flags & ~BATCH_FLAG.end);
  for (const advertisement of advertisements) writer.add(encodeAdvertisement(advertisement), age);
  const [body] = writer.finish(flags & BATCH_FLAG.end);
  return body as Uint8Array;
}

/** One node, "me", with a neighbour "peer" on link 1 that is played by the test. */
class Alone {
  now = 1_000;
  readonly routing: Routing;

  constructor(options: { epoch?: number; boot?: string; recentBoots?: string[]; links?: number } = {}) {
    this.routing = new Routing({
      id: id("me"),
      boot: options.boot ?? "ffffffffffffffffffffffffffffffff",
      epoch: options.epoch ?? 1,
      recentBoots: options.recentBoots ?? [],
      random: seeded(1),
      version: "0.1.0",
      groups: [],
      leaf: false,
      ephemeral: false,
    });
  }

  up(link = 1, peer = "peer", cost = 1): readonly RoutingEffect[] {
    return this.routing.step(this.now, { type: "link-up", link, peer: id(peer), cost, ephemeral: false });
  }

  /** The neighbour knows nothing, says `links`, and ends the exchange. */
  join(link = 1, peer = "peer", changes: Partial<Advertisement> = {}): void {
    this.up(link, peer);
    this.frame(FRAME.digest, encodeDigest([])[0] as Uint8Array, link);
    const links = [{ peer: id("me"), cost: 1 }];
    this.frame(FRAME.advertisements, batch([said(peer, { links, ...changes })], BATCH_FLAG.exchange | BATCH_FLAG.end), link);
  }

  frame(kind: number, body: Uint8Array, link = 1): readonly RoutingEffect[] {
    return this.routing.step(this.now, { type: "frame", link, kind, body });
  }

  flood(advertisements: readonly Advertisement[], link = 1): readonly RoutingEffect[] {
    return this.frame(FRAME.advertisements, batch(advertisements), link);
  }

  pass(milliseconds: number): RoutingEffect[] {
    const end = this.now + milliseconds;
    const effects: RoutingEffect[] = [];
    for (let wake = this.routing.nextWake(); wake !== undefined && wake <= end; wake = this.routing.nextWake()) {
      this.now = Math.max(this.now, wake);
      effects.push(...this.routing.step(this.now, { type: "wake" }));
    }
    this.now = end;
    return effects;
  }
}

function ofType<T extends RoutingEffect["type"]>(effects: readonly RoutingEffect[], type: T): Extract<RoutingEffect, { type: T }>[] {
  return effects.filter((effect): effect is Extract<RoutingEffect, { type: T }> => effect.type === type);
}

/** The advertisements among what is sent, with the link. */
function sent(effects: readonly RoutingEffect[]): { link: number; advertisement: Advertisement }[] {
  const all: { link: number; advertisement: Advertisement }[] = [];
  for (const effect of ofType(effects, "send")) {
    if (effect.kind !== FRAME.advertisements) continue;
    readBatch(effect.body, (_view, start, end) => {
      all.push({ link: effect.link, advertisement: decodeAdvertisement(effect.body.subarray(start, end)) });
    });
  }
  return all;
}

describe("R3 self-refutation", () => {
  it("jumps past what another process said in its name, stores that, and floods it in the same step", () => {
    const node = new Alone();
    node.join();
    node.pass(1_000);
    const effects = node.flood([said("me", { epoch: 5, sequence: 40 })]);
    expect(ofType(effects, "persist")).toEqual([{ type: "persist", epoch: 6, sequence: 1 }]);
    expect(sent(effects).map(({ advertisement }) => [advertisement.epoch, advertisement.sequence])).toEqual([[6, 1]]);
    expect(effects.findIndex(({ type }) => type === "persist")).toBeLessThan(effects.findIndex(({ type }) => type === "send"));
  });

  it("keeps its epoch where it was itself that had said more", () => {
    const boot = "ffffffffffffffffffffffffffffffff";
    const node = new Alone({ boot });
    node.join();
    node.pass(1_000);
    expect(ofType(node.flood([said("me", { epoch: 1, sequence: 40, boot })]), "persist")).toEqual([
      { type: "persist", epoch: 1, sequence: 41 },
    ]);
  });

  it("refutes another process with the same numbers", () => {
    const node = new Alone({ boot: "00000000000000000000000000000001" });
    node.join();
    node.pass(1_000);
    const own = node.routing.advertisement(id("me"));
    const effects = node.flood([said("me", { epoch: own?.epoch ?? 0, sequence: own?.sequence ?? 0 })]);
    expect(ofType(effects, "persist")).toEqual([{ type: "persist", epoch: 2, sequence: 1 }]);
  });

  it("happens at most once in 100 ms", () => {
    const node = new Alone();
    node.join();
    node.pass(1_000);
    let refutations = 0;
    for (let i = 0; i < 100; i++) {
      refutations += ofType(node.flood([said("me", { epoch: 10 * (i + 2), boot: "abcdef0123456789abcdef0123456789" })]), "persist").length;
      refutations += ofType(node.pass(10), "persist").length;
    }
    expect(refutations).toBeGreaterThan(1);
    expect(refutations).toBeLessThanOrEqual(11);
  });

  it("lets a node whose disk was lost rejoin at once", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b", "b-c"]);
    mesh.run(130_000);
    mesh.crash("c", true);
    mesh.run(5_000);
    mesh.start("c");
    mesh.run(60);
    mesh.expectTrueRoutes();
    expect(mesh.effects("a", "restarted")).toEqual([{ type: "restarted", node: "c" }]);
    expect(mesh.effects("c", "persist")).toHaveLength(1);
    expect(mesh.effects("c", "duplicate")).toEqual([]);
  });

  it("answers what is older with the newer, at a bounded rate", () => {
    const node = new Alone();
    node.join();
    node.flood([said("x", { epoch: 4 })]);
    node.pass(1_000);
    const answers = sent(node.flood([said("x", { epoch: 3, sequence: 9 })]));
    expect(answers.map(({ link, advertisement }) => [link, advertisement.node, advertisement.epoch])).toEqual([[1, "x", 4]]);
    let count = 0;
    for (let i = 0; i < 1_000; i++) count += sent(node.flood([said("x", { epoch: 2 })])).length;
    expect(count).toBeLessThan(25);
    expect(node.routing.advertisement(id("x"))?.epoch).toBe(4);
  });
});

describe("R4 duplicates", () => {
  it("makes the later of two live nodes with one id leave, and leaves the elder alone", () => {
    for (const order of [
      ["x1", "x2"],
      ["x2", "x1"],
    ] as const) {
      const mesh = new FakeMesh({ seed: 3 });
      drawn(mesh, ["a-b", "b-c"]);
      mesh.add(order[0], { id: id("x") });
      mesh.connect("a", order[0]);
      mesh.run(10_000);
      mesh.add(order[1], { id: id("x") });
      mesh.connect("c", order[1]);
      mesh.run(30_000);
      expect(mesh.effects(order[1], "duplicate")).toHaveLength(1);
      expect(mesh.effects(order[0], "duplicate")).toEqual([]);
      expect(mesh.routing("c").route(id("x"))).toMatchObject({ nextHop: "b" });
    }
  });

  it("is not taken in by what its own former processes left behind", () => {
    const former = ["a1", "a2", "a3", "a4"].map((text) => text.padEnd(32, "0"));
    const node = new Alone({ recentBoots: former });
    node.join();
    const effects: RoutingEffect[] = [];
    for (const [i, boot] of former.entries()) {
      for (let j = 0; j < 4; j++) {
        effects.push(...node.flood([said("me", { epoch: 10 * (4 * i + j + 1), boot, uptime: 1e9 })]), ...node.pass(500));
      }
    }
    expect(ofType(effects, "duplicate")).toEqual([]);
    expect(ofType(effects, "persist")).toHaveLength(16);
  });
});

describe("R5 two-way check", () => {
  it("counts an edge only where both ends list it, at the greater cost", () => {
    const node = new Alone();
    node.join(1, "peer", {
      links: [
        { peer: id("me"), cost: 1 },
        { peer: id("far"), cost: 2 },
      ],
    });
    node.flood([said("far")]);
    node.pass(1_000);
    expect(node.routing.route(id("far"))).toBeUndefined();
    node.flood([said("far", { sequence: 2, links: [{ peer: id("peer"), cost: 7 }] })]);
    node.pass(1_000);
    expect(node.routing.route(id("far"))).toMatchObject({ cost: 8, hops: 2 });
    node.flood([said("peer", { sequence: 2, links: [{ peer: id("me"), cost: 1 }] })]);
    node.pass(1_000);
    expect(node.routing.route(id("far"))).toBeUndefined();
  });
});

describe("R6 exchange", () => {
  it("keeps a link out of the table until both sides have finished", () => {
    const node = new Alone();
    expect(ofType(node.up(), "send").map(({ kind }) => kind)).toEqual([FRAME.digest]);
    const first = node.frame(
      FRAME.advertisements,
      batch([said("peer", { links: [{ peer: id("me"), cost: 1 }] })], BATCH_FLAG.exchange | BATCH_FLAG.end),
    );
    expect(ofType(first, "adjacent")).toEqual([]);
    node.pass(1_000);
    expect(node.routing.route(id("peer"))).toBeUndefined();
    const second = node.frame(FRAME.digest, encodeDigest([])[0] as Uint8Array);
    expect(ofType(second, "adjacent")).toEqual([{ type: "adjacent", link: 1 }]);
    expect(node.routing.route(id("peer"))).toMatchObject({ link: 1, cost: 1 });
  });

  it("closes a link whose exchange does not end in 10 s", () => {
    const node = new Alone();
    node.up();
    expect(ofType(node.pass(9_900), "violation")).toEqual([]);
    expect(ofType(node.pass(200), "violation").map(({ link, error }) => [link, error.code])).toEqual([[1, "TIMEOUT"]]);
  });

  it("pages a large database, under the limit of a frame, window by window", () => {
    const mesh = new FakeMesh();
    mesh.add("a");
    mesh.add("b");
    const left = new Alone();
    left.join();
    for (let i = 0; i < 4_000; i++) {
      if (i % 100 === 0) left.pass(1_000);
      left.flood([said(`node-${i}`, { groups: ["some-group-of-a-long-name", `group-${i}`] })]);
    }
    const right = new Alone({ boot: "0123456789abcdef0123456789abcdef" });
    const queue: { to: Alone; kind: number; body: Uint8Array }[] = [];
    let frames = 0;
    const carry = (to: Alone, effects: readonly RoutingEffect[]): void => {
      for (const { link, kind, body } of ofType(effects, "send")) if (link === 9) queue.push({ to, kind, body });
    };
    const adjacent: Alone[] = [];
    carry(right, left.up(9, "right"));
    carry(left, right.up(9, "left"));
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      frames++;
      expect(next.body.length).toBeLessThan(64 * 1024);
      const effects = next.to.frame(next.kind, next.body, 9);
      if (ofType(effects, "adjacent").length > 0) adjacent.push(next.to);
      carry(next.to === left ? right : left, effects);
    }
    expect(adjacent).toHaveLength(2);
    expect(right.routing.advertisement(id("node-3999"))?.groups).toContain("group-3999");
    expect([...right.routing.nodes()]).toHaveLength(4_002);
    expect(frames).toBeGreaterThan(8);
  });

  it("sends only what the other lacks", () => {
    const mesh = new FakeMesh();
    const cables = drawn(mesh, ["a-b", "b-c", "c-d"]);
    mesh.run(5_000);
    mesh.cut(cables.get("a-b") as Cable);
    mesh.run(1_000);
    const before = mesh.frames;
    mesh.heal(cables.get("a-b") as Cable);
    mesh.run(2_000);
    mesh.expectTrueRoutes();
    expect(mesh.frames - before).toBeLessThan(16);
  });
});

describe("R8 flooding", () => {
  it("passes on what is new to all but the sender, and drops what it has", () => {
    const node = new Alone();
    for (const link of [1, 2, 3]) node.join(link, `peer${link}`);
    node.pass(1_000);
    expect(sent(node.flood([said("x")], 2)).map(({ link }) => link)).toEqual([1, 3]);
    expect(node.flood([said("x")], 3)).toEqual([]);
    expect(node.flood([said("x")], 2)).toEqual([]);
  });

  it("keeps the floods of one origin 100 ms apart, and passes on the last one", () => {
    const node = new Alone();
    for (const link of [1, 2]) node.join(link, `peer${link}`);
    node.pass(1_000);
    const passed: number[] = [];
    for (let sequence = 1; sequence <= 30; sequence++) {
      const effects = [...node.flood([said("x", { sequence })]), ...node.pass(10)];
      passed.push(
        ...sent(effects)
          .filter(({ link, advertisement }) => link === 2 && advertisement.node === "x")
          .map(({ advertisement }) => advertisement.sequence),
      );
    }
    passed.push(
      ...sent(node.pass(5_000))
        .filter(({ advertisement }) => advertisement.node === "x")
        .map(({ advertisement }) => advertisement.sequence),
    );
    expect(passed[0]).toBe(1);
    expect(passed.at(-1)).toBe(30);
    expect(passed.length).toBeLessThanOrEqual(5);
  });

  it("asks later for what a neighbour sends beyond its allowance", () => {
    const node = new Alone();
    node.join();
    node.pass(10_000);
    const rejected: RoutingEffect[] = [];
    for (let i = 0; i < 1_100; i++) rejected.push(...ofType(node.flood([said(`n${i}`)]), "rejected"));
    expect(rejected).toHaveLength(100);
    const asked = ofType(node.pass(500), "send").filter(({ kind }) => kind === FRAME.pull);
    expect(asked).toHaveLength(1);
    let wanted = 0;
    readPull((asked[0] as (typeof asked)[0]).body, () => void wanted++);
    expect(wanted).toBe(100);
    for (let i = 1_000; i < 1_100; i++) node.flood([said(`n${i}`)]);
    expect([...node.routing.nodes()]).toHaveLength(1_102);
    expect(ofType(node.pass(5_000), "send").filter(({ kind }) => kind === FRAME.pull)).toEqual([]);
  });

  it("answers a pull with what is asked for", () => {
    const mesh = new Alone();
    mesh.join();
    mesh.flood([said("x")]);
    const pull = new Uint8Array(9);
    const asked = ofType(mesh.up(2, "other"), "send")[0] as { body: Uint8Array };
    pull.set(asked.body.subarray(1, 9), 1);
    expect(sent(mesh.frame(FRAME.pull, pull, 1)).map(({ link, advertisement }) => [link, advertisement.node])).toEqual([[1, "me"]]);
  });

  it("refuses nodes beyond 10,000", () => {
    const node = new Alone();
    node.up();
    node.frame(FRAME.digest, encodeDigest([])[0] as Uint8Array);
    let rejected = 0;
    for (let page = 0; page < 11; page++) {
      const many = Array.from({ length: 1_000 }, (_, i) => encodeAdvertisement(said(`n${page * 1_000 + i}`)));
      const writer = new BatchWriter(BATCH_FLAG.exchange);
      for (const raw of many) writer.add(raw, 0);
      for (const body of writer.finish()) rejected += ofType(node.frame(FRAME.advertisements, body), "rejected").length;
    }
    expect([...node.routing.nodes()]).toHaveLength(10_000);
    expect(rejected).toBe(1_001);
  });
});

describe("R10 hysteresis", () => {
  const near = ["s-x:50", "x-t:50", "s-y:50"];

  it("keeps a next hop that works for a gain of a tenth or less, takes a greater one", () => {
    for (const [cost, next] of [
      ["y-t:48", "x"],
      ["y-t:30", "y"],
    ] as const) {
      const mesh = new FakeMesh();
      drawn(mesh, near);
      mesh.run(1_000);
      drawn(mesh, [cost]);
      mesh.run(1_000);
      expect(mesh.routing("s").route(id("t"))?.nextHop).toBe(next);
      mesh.expectTrueRoutes();
    }
  });

  it("leaves the old next hop at once where it stops working", () => {
    const mesh = new FakeMesh();
    const cables = drawn(mesh, near);
    mesh.run(1_000);
    drawn(mesh, ["y-t:48"]);
    mesh.run(1_000);
    mesh.cut(cables.get("x-t") as Cable);
    mesh.run(50);
    expect(mesh.routing("s").route(id("t"))?.nextHop).toBe("y");
  });

  it("never makes two nodes each other's next hop", () => {
    const mesh = new FakeMesh();
    // Both go left to t at first; then a slightly better way opens on the right.
    const cables = drawn(mesh, ["a-b:1", "a-t:100", "b-t:101"]);
    mesh.run(1_000);
    mesh.cut(cables.get("a-t") as Cable);
    mesh.run(1_000);
    expect(mesh.walk("a", "t")).toEqual(["a", "b", "t"]);
    mesh.heal(cables.get("a-t") as Cable);
    mesh.run(1_000);
    mesh.expectTrueRoutes();
  });
});

describe("R11 damping", () => {
  function flap(mesh: FakeMesh, cable: Cable, times: number): void {
    for (let i = 0; i < times; i++) {
      mesh.cut(cable);
      mesh.run(500);
      mesh.heal(cable);
      mesh.run(500);
    }
  }

  it("does not tell of a link that flaps, uses it itself, and tells again when it has been good for a while", () => {
    const mesh = new FakeMesh();
    const cables = drawn(mesh, ["a-b", "a-c:5", "c-b:5", "a-d"]);
    mesh.run(1_000);
    flap(mesh, cables.get("a-b") as Cable, 2);
    expect(mesh.walk("d", "b")).toEqual(["d", "a", "b"]);
    flap(mesh, cables.get("a-b") as Cable, 3);
    expect(
      mesh
        .routing("d")
        .edges()
        .map(({ between }) => between.join("-")),
    ).not.toContain("a-b");
    expect(mesh.routing("a").route(id("b"))).toMatchObject({ nextHop: "b", cost: 1 });
    mesh.run(300_000);
    expect(
      mesh
        .routing("d")
        .edges()
        .map(({ between }) => between.join("-")),
    ).toContain("a-b");
    mesh.expectTrueRoutes();
  });

  it("tells of it all the same where it is the only way, also when the other way is lost later", () => {
    const mesh = new FakeMesh();
    const cables = drawn(mesh, ["a-b", "a-d"]);
    mesh.run(1_000);
    flap(mesh, cables.get("a-b") as Cable, 6);
    mesh.expectTrueRoutes();

    const ring = new FakeMesh();
    const around = drawn(ring, ["a-b", "a-c:5", "c-b:5", "a-d"]);
    ring.run(1_000);
    flap(ring, around.get("a-b") as Cable, 5);
    ring.cut(around.get("c-b") as Cable);
    ring.run(500);
    expect(ring.walk("d", "b")).toEqual(["d", "a", "b"]);
  });
});

describe("hostile neighbours", () => {
  const garbage: Record<string, () => [number, Uint8Array]> = {
    "an advertisement cut short": () => [FRAME.advertisements, batch([said("x")]).subarray(0, 40)],
    "the hash of another node": () => {
      const body = batch([said("x")]);
      body[1 + 6 + 2] = (body[1 + 6 + 2] as number) ^ 1;
      return [FRAME.advertisements, body];
    },
    "a body of its own that is no msgpack": () => {
      const body = batch([said("peer", { epoch: 9 })]);
      body[body.length - 8] = 0xc1;
      return [FRAME.advertisements, body];
    },
    "a digest of broken entries": () => [FRAME.digest, new Uint8Array(30)],
    "a second digest": () => [FRAME.digest, encodeDigest([])[0] as Uint8Array],
    "a pull of broken entries": () => [FRAME.pull, new Uint8Array(5)],
    "an empty frame": () => [FRAME.advertisements, new Uint8Array(0)],
  };

  for (const [name, make] of Object.entries(garbage)) {
    it(`are cut off for ${name}`, () => {
      const node = new Alone();
      node.up();
      node.frame(FRAME.digest, encodeDigest([])[0] as Uint8Array);
      const [kind, body] = make();
      const violations = ofType(node.frame(kind, body), "violation");
      expect(violations.map(({ link, error }) => [link, error.code])).toEqual([[1, "PROTOCOL_ERROR"]]);
      expect(node.flood([said("y")])).toEqual([]);
      expect(node.routing.known(id("y"))).toBe(false);
    });
  }

  it("may not claim this node's own id", () => {
    const node = new Alone();
    expect(ofType(node.up(1, "me"), "violation").map(({ error }) => error.code)).toEqual(["DUPLICATE_NODE"]);
  });

  it("cannot make a node live again with an advertisement from before its goodbye", () => {
    const node = new Alone();
    node.join();
    node.flood([said("x", { sequence: 3 })]);
    node.flood([said("x", { sequence: 4, withdrawn: true })]);
    node.flood([said("x", { sequence: 3 })]);
    expect(node.routing.advertisement(id("x"))).toBeUndefined();
    node.flood([said("x", { sequence: 5 })]);
    expect(node.routing.advertisement(id("x"))).toBeDefined();
  });

  it("cannot spoil this node's links with a body that is unreadable further on", () => {
    const node = new Alone();
    node.join(1, "peer", {
      links: [
        { peer: id("me"), cost: 1 },
        { peer: id("far"), cost: 1 },
      ],
    });
    const body = batch([said("far", { links: [{ peer: id("peer"), cost: 1 }] })]);
    body[body.length - 8] = 0xc1;
    expect(ofType(node.frame(FRAME.advertisements, body), "violation")).toEqual([]);
    node.pass(100);
    expect(node.routing.advertisement(id("far"))).toMatchObject({ groups: [], version: "", links: [{ peer: "peer", cost: 1 }] });
    expect(node.routing.route(id("far"))).toBeDefined();
  });
});

describe("a second link to one peer", () => {
  it("takes over when the first is lost, without the peer being down in between", () => {
    const node = new Alone();
    node.join(1);
    node.join(2);
    node.pass(500);
    const peer: NodeId = id("peer");
    expect(node.routing.route(peer)?.link).toBe(2);
    const effects = [...node.routing.step(node.now, { type: "link-down", link: 2 }), ...node.pass(500)];
    expect(ofType(effects, "node-down")).toEqual([]);
    expect(node.routing.route(peer)?.link).toBe(1);
  });
});
