import { describe, expect, it } from "vitest";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { Duplicates } from "../../../src/routing/duplicates.ts";
import type { RoutingEffect } from "../../../src/routing/machine.ts";
import { Alone, id, ofType, said, sent } from "./alone.ts";
import { drawn, FakeMesh } from "./fake-mesh.ts";

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

  it("lets a node whose disk was lost rejoin also after the mesh has forgotten what it said", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b", "b-c"]);
    for (let life = 0; life < 3; life++) {
      mesh.run(5_000);
      mesh.crash("c");
      mesh.run(1_000);
      mesh.start("c");
    }
    mesh.run(130_000);
    mesh.crash("c", true);
    mesh.run(600_000);
    expect(mesh.routing("a").known(id("c"))).toBe(true);
    mesh.start("c");
    mesh.run(1_000);
    mesh.expectTrueRoutes();
  });

  it("answers what is older with the newer, at a bounded rate", () => {
    const node = new Alone();
    node.join();
    node.flood([said("x", { epoch: 4 })]);
    node.pass(1_000);
    const answers = sent(node.flood([said("x", { epoch: 3, sequence: 9 })]));
    expect(answers.map(({ link, advertisement }) => [link, advertisement.node, advertisement.epoch])).toEqual([[1, "x", 4]]);
    const answered = (): number => {
      let count = 0;
      for (let i = 0; i < 1_000; i++) count += sent(node.flood([said("x", { epoch: 2 })])).length;
      return count;
    };
    expect(answered()).toBeLessThan(25);
    node.pass(1_000);
    expect(answered()).toBe(10);
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

describe("Duplicates", () => {
  it("takes a process for alive that was refuted twice within 30 s, and not one that was heard of now and then", () => {
    const duplicates = new Duplicates([]);
    duplicates.refuted(0, 7);
    expect(duplicates.live(0, 7)).toBe(false);
    duplicates.refuted(31_000, 7);
    expect(duplicates.live(31_000, 7)).toBe(false);
    duplicates.refuted(60_000, 7);
    expect(duplicates.live(60_000, 7)).toBe(true);
    expect(duplicates.live(62_000, 7)).toBe(false);
  });
});

describe("two ids with one hash", () => {
  it("cannot live in one mesh: the second is refused, and counted", () => {
    const [first, second] = ["8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ"] as const;
    expect(hashNodeId(first)).toEqual(hashNodeId(second));
    const node = new Alone();
    node.join();
    node.flood([said(first)]);
    const effects = node.flood([said(second, { epoch: 2 })]);
    expect(ofType(effects, "rejected").map(({ reason }) => reason)).toEqual(["collision"]);
    expect(sent(effects)).toEqual([]);
    expect(node.routing.advertisement(id(first))).toMatchObject({ epoch: 1 });
    expect(node.routing.known(id(second))).toBe(false);
  });
});
