import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { drawn, FakeMesh } from "./fake-mesh.ts";

const a = nodeId("a");
const b = nodeId("b");
const c = nodeId("c");
const d = nodeId("d");
const e = nodeId("e");

describe("Routing", () => {
  it("makes two nodes adjacent, with routes, after one round trip", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b"]);
    mesh.run(2);
    expect(mesh.effects("a", "adjacent")).toHaveLength(1);
    expect(mesh.effects("b", "adjacent")).toHaveLength(1);
    expect(mesh.routing("a").route(b)).toMatchObject({ nextHop: "b", cost: 1, hops: 1 });
    expect(mesh.effects("a", "node-up")).toEqual([{ type: "node-up", node: "b" }]);
  });

  it("finds the cheaper of two ways, and counts the greater cost of an edge's two ends", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b:1", "b-c:1", "a-c:3"]);
    mesh.run(1_000);
    expect(mesh.walk("a", "c")).toEqual(["a", "b", "c"]);
    expect(mesh.routing("a").route(c)).toMatchObject({ nextHop: "b", cost: 2, hops: 2 });
    mesh.expectTrueRoutes();
    expect(mesh.routing("a").edges()).toHaveLength(3);
  });

  it("resolves hashes of live nodes and of itself", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b"]);
    mesh.run(100);
    for (const id of ["a", "b"]) {
      const { high, low } = hashNodeId(id);
      expect(mesh.routing("a").idOf(high, low)).toBe(id);
    }
    const { high, low } = hashNodeId("nobody");
    expect(mesh.routing("a").idOf(high, low)).toBeUndefined();
    expect(mesh.routing("a").nextHop(high, low)).toBeUndefined();
  });

  it("takes a lost link out of the table in the same step, and tells everyone at once", () => {
    const mesh = new FakeMesh();
    const cables = drawn(mesh, ["a-b", "b-c", "c-d"]);
    mesh.run(5_000);
    mesh.cut(cables.get("c-d") as never);
    mesh.run(20);
    expect(mesh.routing("a").route(d)).toBeUndefined();
    expect(mesh.effects("a", "node-down")).toEqual([{ type: "node-down", node: "d" }]);
    expect(mesh.routing("a").known(d)).toBe(true);
    mesh.expectTrueRoutes();
  });

  it("forgets what a node has said that is not to be believed any more, and never what it says itself", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b", "b-c", "c-d"]);
    mesh.run(5_000);
    mesh.input("a", { type: "forget", node: c });
    mesh.input("a", { type: "forget", node: a });
    mesh.input("a", { type: "forget", node: e });
    expect(mesh.routing("a").route(c)).toBeUndefined();
    expect(mesh.routing("a").advertisement(c)).toBeUndefined();
    mesh.run(200);
    // Nor is there a way over it.
    expect(mesh.routing("a").route(d)).toBeUndefined();
    expect(mesh.routing("a").route(b)).toMatchObject({ hops: 1 });
    expect(mesh.routing("a").advertisement(a)).toBeDefined();
    expect(mesh.effects("a", "node-down")).toEqual([c, d].map((node) => ({ type: "node-down", node })));
  });

  it("uses another way where there is one as soon as the link is lost", () => {
    const mesh = new FakeMesh();
    const cables = drawn(mesh, ["a-b", "b-d", "a-c:2", "c-d:2"]);
    mesh.run(5_000);
    expect(mesh.walk("a", "d")).toEqual(["a", "b", "d"]);
    mesh.cut(cables.get("a-b") as never);
    mesh.run(1.5);
    expect(mesh.routing("a").route(d)).toMatchObject({ nextHop: "c", cost: 4 });
  });

  it("carries nothing for others through leaf, draining and ephemeral nodes, but reaches them", () => {
    for (const options of [{ leaf: true }, { ephemeral: true }]) {
      const mesh = new FakeMesh();
      mesh.add("b", options);
      drawn(mesh, ["a-b", "b-c"]);
      mesh.run(1_000);
      expect(mesh.routing("a").route(b)).toBeDefined();
      expect(mesh.routing("a").route(c)).toBeUndefined();
      expect(mesh.routing("b").route(c)).toBeDefined();
    }
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b", "b-c", "a-d:5", "d-c:5"]);
    mesh.run(1_000);
    expect(mesh.routing("a").route(c)?.nextHop).toBe("b");
    mesh.input("b", { type: "local", change: { draining: true } });
    mesh.run(100);
    expect(mesh.routing("a").route(c)?.nextHop).toBe("d");
  });

  it("forgets a node that says goodbye everywhere at once", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b", "b-c"]);
    mesh.run(1_000);
    mesh.input("c", { type: "withdraw" });
    mesh.run(3);
    expect(mesh.routing("a").advertisement(c)).toBeUndefined();
    expect(mesh.routing("a").route(c)).toBeUndefined();
    expect(mesh.routing("a").known(c)).toBe(true);
    expect(mesh.effects("a", "node-down")).toEqual([{ type: "node-down", node: "c" }]);
  });

  it("shows an ephemeral node no longer than its link, and forgets it after", () => {
    const mesh = new FakeMesh();
    mesh.add("e", { ephemeral: true });
    drawn(mesh, ["a-b", "b-e"]);
    mesh.run(1_000);
    expect([...mesh.routing("a").nodes()].map(({ node }) => node)).toContain("e");
    mesh.crash("e");
    mesh.run(50);
    expect([...mesh.routing("a").nodes()].map(({ node }) => node)).not.toContain("e");
    expect(mesh.routing("a").advertisement(e)).toBeUndefined();
    mesh.run(3_700_000);
    expect(mesh.routing("a").known(e)).toBe(false);
  });

  it("keeps a killed node known and unreachable, ages it out after 190 s, and remembers it for an hour", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b", "b-c"]);
    mesh.run(1_000);
    mesh.crash("c");
    mesh.run(1_000);
    expect(mesh.routing("a").advertisement(c)).toBeDefined();
    expect(mesh.routing("a").route(c)).toBeUndefined();
    mesh.run(195_000);
    expect(mesh.routing("a").advertisement(c)).toBeUndefined();
    expect(mesh.routing("a").known(c)).toBe(true);
    mesh.run(3_600_000);
    expect(mesh.routing("a").known(c)).toBe(false);
    expect(mesh.routing("a").route(b)).toBeDefined();
  });

  it("does not make a dead node younger by telling a newcomer of it", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b", "b-c"]);
    mesh.run(1_000);
    mesh.crash("c");
    mesh.run(150_000);
    drawn(mesh, ["d-a"]);
    mesh.run(1_000);
    expect(mesh.routing("d").known(c)).toBe(true);
    mesh.run(45_000);
    expect(mesh.routing("d").advertisement(c)).toBeUndefined();
  });

  it("says itself anew about every 60 s, so that nobody ages it out", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b", "b-c"]);
    mesh.run(600_000);
    const sequence = mesh.routing("a").advertisement(c)?.sequence ?? 0;
    expect(sequence).toBeGreaterThan(9);
    expect(sequence).toBeLessThan(16);
    mesh.expectTrueRoutes();
  });

  it("lists the reachable members of a group, the nearest first", () => {
    const mesh = new FakeMesh();
    for (const id of ["a", "c", "d"]) mesh.add(id, { groups: ["web"] });
    const cables = drawn(mesh, ["a-b:1", "b-d:1", "b-c:1", "c-e:1"]);
    mesh.run(1_000);
    expect(
      mesh
        .routing("a")
        .members("web")
        .map(({ node, cost }) => [node, cost]),
    ).toEqual([
      ["a", 0],
      ["c", 2],
      ["d", 2],
    ]);
    mesh.input("b", { type: "local", change: { groups: ["web"] } });
    mesh.run(100);
    expect(
      mesh
        .routing("e")
        .members("web")
        .map(({ node }) => node),
    ).toEqual(["c", "b", "a", "d"]);
    mesh.cut(cables.get("b-c") as never);
    mesh.run(100);
    expect(
      mesh
        .routing("e")
        .members("web")
        .map(({ node }) => node),
    ).toEqual(["c"]);
    expect(mesh.routing("e").members("none")).toEqual([]);
  });

  it("tells of a change of the load, but not at once for each", () => {
    const mesh = new FakeMesh();
    drawn(mesh, ["a-b"]);
    mesh.run(10_000);
    const before = mesh.routing("b").advertisement(a)?.sequence ?? 0;
    for (let i = 1; i <= 100; i++) {
      mesh.input("a", { type: "local", change: { load: { running: i, queued: 0 } } });
      mesh.run(100);
    }
    mesh.run(5_000);
    const after = mesh.routing("b").advertisement(a);
    expect(after?.load).toEqual({ running: 100, queued: 0 });
    expect((after?.sequence ?? 0) - before).toBeLessThanOrEqual(4);
  });
});
