import { describe, expect, it } from "vitest";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import type { RoutingEffect } from "../../../src/routing/machine.ts";
import { type Advertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { BATCH_FLAG, BatchWriter, encodeDigest, encodePull, readPull } from "../../../src/wire/digest.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { Alone, batch, id, ofType, said, sent } from "./alone.ts";
import { type Cable, drawn, FakeMesh } from "./fake-mesh.ts";

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
    let pulls = 0;
    const carry = (to: Alone, effects: readonly RoutingEffect[]): void => {
      for (const { link, kind, body } of ofType(effects, "send")) if (link === 9) queue.push({ to, kind, body });
    };
    const adjacent: Alone[] = [];
    carry(right, left.up(9, "right"));
    carry(left, right.up(9, "left"));
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (next.kind === FRAME.pull) pulls++;
      expect(next.body.length).toBeLessThan(64 * 1024);
      const effects = next.to.frame(next.kind, next.body, 9);
      if (ofType(effects, "adjacent").length > 0) adjacent.push(next.to);
      carry(next.to === left ? right : left, effects);
    }
    expect(adjacent).toHaveLength(2);
    expect(right.routing.advertisement(id("node-3999"))?.groups).toContain("group-3999");
    expect([...right.routing.nodes()]).toHaveLength(4_002);
    expect(pulls).toBeGreaterThan(0);
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

  it("does not tell a neighbour what that has said itself before its turn came", () => {
    const node = new Alone();
    for (const link of [1, 2, 3]) node.join(link, `peer${link}`);
    node.pass(1_000);
    node.flood([said("x")], 1);
    node.pass(10);
    // Held, since x spoke only just; meanwhile it comes over the second link too.
    expect(sent(node.flood([said("x", { sequence: 2 })], 1))).toEqual([]);
    expect(node.flood([said("x", { sequence: 2 })], 2)).toEqual([]);
    expect(sent(node.pass(1_000)).map(({ link, advertisement }) => [link, advertisement.node, advertisement.sequence])).toEqual([
      [3, "x", 2],
    ]);
    // What was said is no excuse for what is newer.
    node.flood([said("x", { sequence: 3 })], 1);
    node.pass(10);
    node.flood([said("x", { sequence: 4 })], 1);
    node.flood([said("x", { sequence: 4 })], 2);
    node.flood([said("x", { sequence: 5 })], 3);
    const last = sent(node.pass(1_000)).filter(({ advertisement }) => advertisement.sequence === 5);
    expect(last.map(({ link }) => link)).toEqual([1, 2]);
  });

  it("gathers what comes just after a flood in a large mesh, so that a storm goes on in few frames", () => {
    const node = new Alone();
    for (const link of [1, 2]) node.join(link, `peer${link}`);
    for (let i = 0; i < 300; i++) node.flood([said(`n${i}`)]);
    node.pass(5_000);
    const frames: RoutingEffect[] = [...node.flood([said("first")])];
    expect(sent(frames).map(({ link, advertisement }) => [link, advertisement.node])).toEqual([[2, "first"]]);
    for (let i = 0; i < 20; i++) {
      frames.push(...node.flood([said(`late${i}`)]));
      frames.push(...node.pass(1));
    }
    frames.push(...node.pass(100));
    expect(sent(frames)).toHaveLength(21);
    expect(ofType(frames, "send").length).toBeLessThanOrEqual(3);
  });

  it("says what is new over a link in its exchange as part of that, and once", () => {
    const node = new Alone();
    node.join();
    node.flood([said("old")]);
    node.pass(1_000);
    node.up(2, "other");
    expect(sent(node.flood([said("x")])).filter(({ link }) => link === 2)).toEqual([]);
    // The page says that the other has it; but by the end there is a newer one.
    const [page] = encodeDigest([{ ...hashNodeId("old"), epoch: 1, sequence: 1, boot: 0x44556677 }]);
    const first = (page as Uint8Array).slice();
    first[0] = 0;
    node.frame(FRAME.digest, first, 2);
    expect(sent(node.flood([said("old", { sequence: 2 })])).filter(({ link }) => link === 2)).toEqual([]);
    const rest = sent(node.frame(FRAME.digest, encodeDigest([])[0] as Uint8Array, 2)).filter(({ link }) => link === 2);
    expect(rest.map(({ advertisement: { node: of, sequence } }) => `${of} ${sequence}`).toSorted()).toEqual([
      "me 2",
      "old 2",
      "peer 1",
      "x 1",
    ]);
    // Its part is said: from here on it hears of what is new as all others do.
    node.pass(1_000);
    expect(sent(node.flood([said("y")])).map(({ link }) => link)).toEqual([2]);
  });

  it("says goodbye also over a link that is still in its exchange", () => {
    const node = new Alone();
    node.up();
    const goodbye = sent(node.routing.step(node.now, { type: "withdraw" }));
    expect(goodbye.map(({ link, advertisement }) => [link, advertisement.withdrawn])).toEqual([[1, true]]);
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

  it("takes 200 a second more of a neighbour that has used its allowance up", () => {
    const node = new Alone();
    node.join();
    node.pass(10_000);
    const refused = (from: number, to: number): number => {
      let count = 0;
      for (let i = from; i < to; i++) count += ofType(node.flood([said(`n${i}`)]), "rejected").length;
      return count;
    };
    expect(refused(0, 1_000)).toBe(0);
    node.pass(1_000);
    expect(refused(1_000, 1_400)).toBe(200);
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

  it("answers 20 pulls a second of one neighbour", () => {
    const node = new Alone();
    node.join();
    const pull = encodePull(0, [hashNodeId("me")]);
    const answered = (): number => {
      let count = 0;
      for (let i = 0; i < 100; i++) count += sent(node.frame(FRAME.pull, pull)).length;
      return count;
    };
    expect(answered()).toBe(20);
    node.pass(1_000);
    expect(answered()).toBe(20);
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

describe("in a mesh of thousands", () => {
  /** A node that has heard of so many others over link 1. */
  function knowing(count: number, changes: Partial<Advertisement> = {}): Alone {
    const node = new Alone();
    node.join(2, "other");
    node.up();
    node.frame(FRAME.digest, encodeDigest([])[0] as Uint8Array);
    for (let from = 0; from < count; from += 1_000) {
      const writer = new BatchWriter(BATCH_FLAG.exchange);
      for (let i = from; i < Math.min(count, from + 1_000); i++) writer.add(encodeAdvertisement(said(`n${i}`, changes)), 0);
      for (const body of writer.finish()) node.frame(FRAME.advertisements, body);
    }
    const links = [{ peer: id("me"), cost: 1 }];
    node.frame(FRAME.advertisements, batch([said("peer", { links })], BATCH_FLAG.exchange | BATCH_FLAG.end));
    return node;
  }

  it("remembers 10,000 nodes that are gone, and forgets the first of more", () => {
    const { routing } = knowing(10_005, { withdrawn: true });
    const known = [0, 4, 5, 10_004].map((i) => routing.known(id(`n${i}`)));
    expect(known).toEqual([false, false, true, true]);
  });

  it("passes on what one origin says without end every 5 s at the least", () => {
    const node = knowing(9_000);
    node.pass(20_000);
    const at: number[] = [];
    for (let sequence = 2; sequence < 600; sequence++) {
      const effects = [...node.flood([said("n0", { sequence })]), ...node.pass(50)];
      if (sent(effects).some(({ link, advertisement }) => link === 2 && advertisement.node === "n0")) at.push(node.now);
    }
    const gaps = at.slice(1).map((time, i) => time - (at[i] ?? 0));
    expect(Math.max(...gaps)).toBeGreaterThan(4_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_100);
  });
});

describe("an ephemeral node beyond a partition", () => {
  it("is back as soon as the partition heals, though it has nothing new to say", () => {
    const mesh = new FakeMesh();
    mesh.add("e", { ephemeral: true });
    const cables = drawn(mesh, ["a-b", "b-e"]);
    mesh.run(1_000);
    mesh.cut(cables.get("a-b") as Cable);
    mesh.run(8_000);
    expect(mesh.routing("a").advertisement(id("e"))).toBeUndefined();
    mesh.heal(cables.get("a-b") as Cable);
    mesh.run(200);
    mesh.expectTrueRoutes();
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
