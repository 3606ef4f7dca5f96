import { describe, expect, it } from "vitest";
import type { NodeId } from "../../../src/core/ids.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { Alone, id, ofType, said } from "./alone.ts";
import { type Cable, drawn, FakeMesh } from "./fake-mesh.ts";

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

  it("does so whichever end is heard last", () => {
    const node = new Alone();
    node.join();
    node.flood([said("far")]);
    node.flood([
      said("peer", {
        sequence: 2,
        links: [
          { peer: id("me"), cost: 1 },
          { peer: id("far"), cost: 2 },
        ],
      }),
    ]);
    node.pass(1_000);
    expect(node.routing.route(id("far"))).toBeUndefined();
    expect(node.routing.edges()).toHaveLength(1);
  });
});

describe("R9 computation", () => {
  it("sends nothing over a lost link, even where the paths are computed later", () => {
    const node = new Alone();
    for (const link of [1, 2]) node.join(link, `peer${link}`);
    node.pass(1_000);
    const { high, low } = hashNodeId("peer2");
    expect(node.routing.nextHop(high, low)).toBe(2);
    for (const link of [1, 2]) node.routing.step(node.now, { type: "link-down", link });
    expect(node.routing.nextWake()).toBeGreaterThan(node.now);
    expect(node.routing.nextHop(high, low)).toBeUndefined();
    expect(node.routing.route(id("peer2"))).toBeUndefined();
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
    const cables = drawn(mesh, ["a-b:1", "b-t:101"]);
    mesh.run(1_000);
    // A little better for a than its way by b, which itself would now go by a if it had to.
    drawn(mesh, ["a-t:98"]);
    mesh.run(1_000);
    mesh.cut(cables.get("b-t") as Cable);
    mesh.run(1_000);
    expect(mesh.walk("a", "t")).toEqual(["a", "t"]);
    expect(mesh.walk("b", "t")).toEqual(["b", "a", "t"]);
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
