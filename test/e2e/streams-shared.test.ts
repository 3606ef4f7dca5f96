import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FULL, sha256Of, size, StreamMesh, urlOf } from "../support/streams/mesh.ts";

const KiB = 1024;
const PINGS = 200;
/** MB that a node may grow by. */
const GROWTH = 64;
/** Milliseconds that a ping may take. */
const PING = 10;
/** Of which share of the pings. In a short run on a busy machine the slowest ones say how the operating system shares its processors. */
const SHARE = FULL ? 0.99 : 0.5;

let mesh: StreamMesh;

beforeEach(() => {
  mesh = new StreamMesh();
});

afterEach(async () => {
  await mesh.close();
});

function slowest(took: readonly number[]): number {
  return took.toSorted((a, b) => a - b)[Math.floor(took.length * SHARE)] ?? Infinity;
}

describe("over three hops, a reader at 10 KiB/s beside one at full speed", () => {
  const { bytes, name } = size(192);

  test(`${name}: costs no node 64 MB, the fast one less than half of its speed, and ${SHARE * 100} % of pings ${PING} ms, or half more than plain sockets beside it`, {
    timeout: 300_000,
  }, async () => {
    const near = await mesh.relay("near");
    const far = await mesh.relay("far", [urlOf(near)]);
    await mesh.worker([urlOf(far)]);
    const [controller, other] = await Promise.all([mesh.controller([urlOf(near)]), mesh.controller([urlOf(near)], "other")]);
    const nodes = ["near", "far", "worker"];
    const before = mesh.memory(nodes, controller);
    const download = { to: "worker", bytes };

    const pings = { to: "worker", port: await mesh.rawWay(nodes.length - 1), count: FULL ? PINGS : PINGS / 2, interval: 2 };
    const alone = await controller.ask("download", { ...download, stream: "alone" });

    const slow = controller.ask("download", { ...download, stream: "slow", rate: 10 * KiB });
    // It would take hours, and ends with the controller.
    slow.catch(() => undefined);
    await controller.ask("reached", { stream: "slow", bytes: 1 });
    // One after another, for as long as there are pings beside them.
    const pinged = new AbortController();
    const fast = (async () => {
      const reports = [];
      do reports.push(await controller.ask("download", { ...download, stream: `fast ${reports.length}` }));
      while (!pinged.signal.aborted);
      return reports;
    })();
    await controller.ask("reached", { stream: "fast 0", bytes: bytes / 16 });
    const took = await other.ask("pings", pings);
    pinged.abort();
    const reports = await fast;

    for (const report of reports) expect(report).toMatchObject({ bytes, sha256: sha256Of(bytes) });
    const milliseconds = reports.reduce((sum, report) => sum + report.milliseconds, 0);
    expect((alone.milliseconds * reports.length) / milliseconds, "of its speed alone").toBeGreaterThan(0.5);
    // Where the operating system wakes nobody sooner, a byte over as many plain sockets takes as long.
    const raw = slowest(took.raw);
    expect(slowest(took.mesh), `ms, and ${raw} over plain sockets`).toBeLessThan(Math.max(PING, 1.5 * raw));
    const after = mesh.memory(nodes, controller);
    for (const [id, { most }] of Object.entries(after)) expect(most - (before[id]?.now ?? 0), `MB that ${id} grew by`).toBeLessThan(GROWTH);
    const slowBytes = await controller.ask("bytes", { stream: "slow" });
    expect(slowBytes, "the slow one moved, at its own pace").toBeGreaterThan(0);
    expect(slowBytes).toBeLessThan(10 * KiB * (milliseconds / 1000 + 20) + 64 * KiB);
  });
});
