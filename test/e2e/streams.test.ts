import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TIMES } from "../../src/core/limits.ts";
import type { ControllerProcess } from "../support/streams/controller.ts";
import { CutProxy } from "../support/streams/cut-proxy.ts";
import { FULL, sha256Of, size, StreamMesh, urlOf } from "../support/streams/mesh.ts";
import type { StreamReport } from "../support/streams/questions.ts";

const LIMIT = FULL ? 300_000 : 60_000;
const MEMORY = 150;
const DIRECTIONS = ["upload", "download"] as const;

let mesh: StreamMesh;

beforeEach(() => {
  mesh = new StreamMesh();
});

afterEach(async () => {
  await mesh.close();
});

/** Every byte came, in its place. */
function expectWhole(report: StreamReport, bytes: number): void {
  expect(report).toMatchObject({ bytes, sha256: sha256Of(bytes) });
}

function expectLean(ids: readonly string[], controller: ControllerProcess): void {
  for (const [id, { most }] of Object.entries(mesh.memory(ids, controller))) expect(most, `MB resident in ${id}`).toBeLessThan(MEMORY);
}

/** Both directions at once, so that each finds the other's frames in its way; resolves when both have come half-way. */
async function both(
  controller: ControllerProcess,
  bytes: number,
  rate?: number,
): Promise<{ readonly reports: Promise<readonly StreamReport[]> }> {
  const paced = rate === undefined ? {} : { rate };
  const reports = Promise.all(DIRECTIONS.map((stream) => controller.ask(stream, { stream, to: "worker", bytes, ...paced })));
  await Promise.all(DIRECTIONS.map((stream) => controller.ask("reached", { stream, bytes: bytes / 2 })));
  return { reports };
}

describe("a stream whose relay is killed in the middle, where another path exists", () => {
  const { bytes, name } = size(128);

  for (const direction of DIRECTIONS) {
    test(`${direction} of ${name}: ends whole, never pauses for 1 s, and no process takes 150 MB`, { timeout: LIMIT }, async () => {
      const controller = await mesh.twoPaths();
      const stream = controller.ask(direction, { stream: "it", to: "worker", bytes });
      await controller.ask("reached", { stream: "it", bytes: bytes / 2 });
      expectLean(["relay-a"], controller);
      await mesh.nodes.kill("relay-a");
      const report = await stream;
      expectWhole(report, bytes);
      expect(report.pause, `ms without a byte, after ${report.pauseAt}`).toBeLessThan(1_000);
      expectLean(["relay-b", "worker"], controller);
    });
  }
});

describe("streams whose relay falls silent, where another path exists", () => {
  const { bytes, name } = size(64);

  test(`${name} each way: go on when the link is stale, and end whole`, { timeout: LIMIT }, async () => {
    const controller = await mesh.twoPaths();
    const { reports } = await both(controller, bytes);
    mesh.nodes.nudge("relay-a", "SIGSTOP");
    for (const report of await reports) {
      expectWhole(report, bytes);
      expect(report.pause, `ms without a byte, after ${report.pauseAt}`).toBeLessThan(TIMES.stale + 1_000);
    }
    expectLean(["relay-a", "relay-b", "worker"], controller);
  });
});

describe("streams whose only path is cut", () => {
  const { bytes, name } = size(64);

  test(`${name} each way: go on from where they were when the link is back`, { timeout: LIMIT }, async () => {
    const relay = await mesh.relay("relay");
    const proxy = new CutProxy(Number(new URL(urlOf(relay)).port));
    try {
      await mesh.worker([urlOf(relay)]);
      const controller = await mesh.controller([await proxy.listen()]);
      const { reports } = await both(controller, bytes);
      expect(proxy.cut()).toBeGreaterThan(0);
      for (const report of await reports) {
        expectWhole(report, bytes);
        expect(report.pause, `ms without a byte, after ${report.pauseAt}`).toBeLessThan(2_000);
      }
    } finally {
      proxy.close();
    }
  });
});

describe("streams whose path changes", () => {
  const { bytes, name } = size(96, 256);

  test(`${name} each way: go over to the dearer path and back, and end whole`, { timeout: LIMIT }, async () => {
    const controller = await mesh.twoPaths();
    const { reports } = await both(controller, bytes, bytes / 8);
    await mesh.nodes.signal("relay-a", "SIGTERM");
    await mesh.goesBy(controller, "relay-b");
    await mesh.nodes.restart("relay-a");
    await mesh.goesBy(controller, "relay-a");
    for (const stream of DIRECTIONS) expect(await controller.ask("bytes", { stream }), "they had not ended before").toBeLessThan(bytes);
    for (const report of await reports) {
      expectWhole(report, bytes);
      expect(report.pause, `ms without a byte, after ${report.pauseAt}`).toBeLessThan(1_000);
    }
  });
});
