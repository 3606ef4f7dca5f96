import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { type Cable, FakeMesh } from "./fake-mesh.ts";

const SEEDS = Number(process.env.ROUTING_SEEDS ?? 20);

/** 5 to 16 nodes, some leaf, on a random connected graph with spare edges. */
function randomMesh(seed: number): FakeMesh {
  const mesh = new FakeMesh({
    seed,
    delay: (random) => (random() < 0.05 ? 200 * random() : 1 + 20 * random()),
    notice: (random) => 200 * random(),
    redial: (random) => 300 + 500 * random(),
  });
  const { random } = mesh;
  const count = 5 + Math.floor(random() * 12);
  for (let i = 0; i < count; i++) {
    mesh.at(2_000 * random(), () => {
      mesh.add(`n${i}`, { leaf: random() < 0.1 });
      for (const cable of mesh.cables) mesh.heal(cable);
    });
  }
  const cost = (): number => 1 + Math.floor(random() * 3);
  for (let i = 1; i < count; i++) mesh.connect(`n${Math.floor(random() * i)}`, `n${i}`, cost());
  for (let i = 0; i < count; i++) {
    const [x, y] = [Math.floor(random() * count), Math.floor(random() * count)];
    const drawn = mesh.cables.some((cable) => [`n${x}`, `n${y}`].includes(cable.a) && [`n${x}`, `n${y}`].includes(cable.b));
    if (x !== y && !drawn) mesh.connect(`n${x}`, `n${y}`, cost());
  }
  return mesh;
}

/** Cuts, heals, crashes (with the disk or without it) and restarts for 40 s; then everything is made whole. */
function trouble(mesh: FakeMesh): void {
  const { random } = mesh;
  const names = [...mesh.stations.keys()];
  for (let i = 0; i < 25; i++) {
    const at = 40_000 * random();
    const cable = mesh.cables[Math.floor(random() * mesh.cables.length)] as Cable;
    const name = names[Math.floor(random() * names.length)] as string;
    if (random() < 0.6) {
      mesh.at(at, () => mesh.cut(cable));
      mesh.at(at + 8_000 * random(), () => mesh.heal(cable));
    } else {
      const wipe = random() < 0.3;
      mesh.at(at, () => {
        if (mesh.stations.get(name)?.routing === undefined) return;
        mesh.crash(name, wipe);
        mesh.at(8_000 * random(), () => mesh.start(name));
      });
    }
  }
  mesh.run(50_000);
  for (const [name, { routing }] of mesh.stations) if (routing === undefined) mesh.start(name);
  for (const cable of mesh.cables) mesh.heal(cable);
}

describe("Routing over random meshes", () => {
  it("joins, staggered, and has the true routes 1 s after the last link", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const mesh = randomMesh(seed);
      mesh.run(2_000);
      mesh.run(2_500);
      try {
        mesh.expectTrueRoutes();
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      }
    }
  });

  it("reaches everything, without loops, 5 s after cuts, crashes, restarts and lost disks, and has the true routes once no link is damped", {
    timeout: 60_000,
  }, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const mesh = randomMesh(seed);
      mesh.run(3_000);
      trouble(mesh);
      mesh.run(5_000);
      try {
        mesh.expectReachable();
        mesh.run(300_000);
        mesh.expectTrueRoutes();
        for (const name of mesh.stations.keys()) expect(mesh.effects(name, "violation")).toEqual([]);
        for (const name of mesh.stations.keys()) expect(mesh.effects(name, "duplicate")).toEqual([]);
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      }
    }
  });

  it("runs the same way twice from one seed", () => {
    const trace = (): unknown => {
      const mesh = randomMesh(7);
      mesh.run(3_000);
      trouble(mesh);
      mesh.run(5_000);
      return [mesh.frames, mesh.steps, [...mesh.stations.values()].map(({ effects }) => effects.length)];
    };
    expect(trace()).toEqual(trace());
  });

  it("goes quiet: an idle mesh sends nothing but what keeps it fresh", () => {
    const mesh = randomMesh(3);
    mesh.run(20_000);
    const { frames } = mesh;
    mesh.run(60_000);
    // Each node once or twice, over each cable at most both ways.
    expect(mesh.frames - frames).toBeLessThanOrEqual(2 * 2 * mesh.stations.size * mesh.cables.length);
    expect(mesh.frames).toBeGreaterThan(frames);
  });

  it("heals a partition of 50 nodes within 5 s", { timeout: 60_000 }, () => {
    const mesh = new FakeMesh({ seed: 5, delay: (random) => 1 + 10 * random() });
    for (let i = 0; i < 50; i++) mesh.add(`n${i}`);
    const bridges: Cable[] = [];
    for (let i = 0; i < 50; i++) {
      for (const step of [1, 7]) {
        const j = (i + step) % 50;
        const cable = mesh.connect(`n${i}`, `n${j}`);
        if (i < 25 !== j < 25) bridges.push(cable);
      }
    }
    mesh.run(5_000);
    mesh.expectTrueRoutes();
    for (const cable of bridges) mesh.cut(cable);
    mesh.run(5_000);
    mesh.expectTrueRoutes();
    expect(mesh.routing("n0").route(nodeId("n30"))).toBeUndefined();
    for (const cable of bridges) mesh.heal(cable);
    mesh.run(1_500);
    mesh.expectTrueRoutes();
  });
});
