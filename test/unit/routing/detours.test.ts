import { beforeEach, describe, expect, it } from "vitest";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { FakeMesh } from "./fake-mesh.ts";

let mesh: FakeMesh;
const { high, low } = hashNodeId("t");

beforeEach(() => {
  mesh = new FakeMesh();
});

/** Cables as `a-b:cost`; the mesh has settled. */
function drawn(...cables: readonly string[]): void {
  for (const cable of cables) {
    const [a = "", b = "", cost = ""] = cable.split(/[-:]/);
    mesh.connect(a, b, Number(cost));
  }
  mesh.run(2_000);
}

/** Over which neighbour s sends what it says to t. */
function next(): string | undefined {
  const link = mesh.routing("s").detours.next(mesh.now, high, low);
  const linked = mesh.cables.filter(({ a, session }) => a === "s" && session !== undefined).map(({ b }) => b);
  return linked.find((peer) => mesh.link("s", peer) === link);
}

const silent = (waited = 1_000): void => mesh.routing("s").detours.silent(mesh.now, high, low, waited);
const heard = (by: string, asks = false): void => mesh.routing("s").detours.heard(mesh.now, high, low, mesh.link("s", by), asks);

describe("Detours", () => {
  it("goes round a next hop that nothing comes back from, over the cheapest that leads past it, for a minute", () => {
    for (const id of ["s", "m", "r", "q", "t"]) mesh.add(id);
    drawn("s-m:1", "m-t:1", "s-r:5", "r-t:5", "s-q:6", "q-t:6");
    expect(next()).toBe("m");
    silent();
    mesh.run(59_999);
    expect(next()).toBe("r");
    mesh.run(2);
    expect(next()).toBe("m");
  });

  it("takes what was sent before it turned aside for no sign against the new way, tries one after another, and then the best again", () => {
    for (const id of ["s", "m", "r", "q", "t"]) mesh.add(id);
    drawn("s-m:1", "m-t:1", "s-r:5", "r-t:5", "s-q:6", "q-t:6");
    silent();
    mesh.run(500);
    silent();
    expect(next()).toBe("r");
    for (const [waited, then] of [
      [1_000, "q"],
      [1_000, "m"],
      [1_000, "r"],
    ] as const) {
      mesh.run(waited);
      silent(waited);
      expect(next()).toBe(then);
    }
  });

  it("takes no neighbour that would send it back, none that ends there, and none where it hangs on this node itself", () => {
    for (const id of ["s", "m", "r", "t"]) mesh.add(id);
    mesh.add("q", { leaf: true });
    drawn("s-m:1", "m-t:1", "s-r:1", "r-t:9", "s-q:1", "q-t:1");
    silent();
    expect(next()).toBe("m");
    mesh.connect("s", "t", 1);
    mesh.run(2_000);
    expect(next()).toBe("t");
    silent();
    expect(next()).toBe("t");
  });

  it("rather takes a dearer one than one whose way leads over what is gone round", () => {
    for (const id of ["s", "m", "r", "q", "t"]) mesh.add(id);
    drawn("s-m:2", "m-t:2", "s-r:2", "r-m:1", "s-q:9", "q-t:9");
    silent();
    expect(next()).toBe("q");
  });

  it("answers by where one asks again, but not over what it goes round itself, nor where that leads nowhere", () => {
    for (const id of ["s", "m", "r", "q", "t"]) mesh.add(id);
    drawn("s-m:1", "m-t:1", "s-r:5", "r-t:5", "s-q:1", "q-t:90");
    heard("r");
    expect(next()).toBe("m");
    heard("q", true);
    expect(next()).toBe("m");
    heard("r", true);
    expect(next()).toBe("r");
    heard("m", true);
    expect(next()).toBe("r");
  });

  it("goes back to the best where that is heard from and the other way is not", () => {
    for (const id of ["s", "m", "r", "t"]) mesh.add(id);
    drawn("s-m:1", "m-t:1", "s-r:5", "r-t:5");
    silent();
    heard("m");
    expect(next()).toBe("m");
    silent();
    heard("r");
    heard("m");
    expect(next()).toBe("r");
  });

  it("ends where its link does", () => {
    for (const id of ["s", "m", "r", "t"]) mesh.add(id);
    drawn("s-m:1", "m-t:1");
    const one = mesh.connect("s", "r", 5);
    mesh.connect("r", "t", 5);
    mesh.run(2_000);
    silent();
    expect(next()).toBe("r");
    mesh.cut(one);
    mesh.run(1_000);
    expect(next()).toBe("m");
  });
});
