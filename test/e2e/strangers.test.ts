import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createNode } from "receptor-mesh";
import { nodeId } from "../../src/core/ids.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { encodeHello } from "../../src/wire/greeting.ts";
import { ProcessMesh, until } from "../support/mesh.ts";
import { Crowd } from "../support/strangers/crowd.ts";

const MiB = 1024;
const LINUX = process.platform === "linux";
const HELLO = Buffer.from(
  encodeHello({
    node: nodeId("drip"),
    instance: "0".repeat(32),
    versionMajor: 1,
    versionMinor: 0,
    version: "0.0.0",
    ephemeral: false,
    leaf: false,
    cost: 1,
    capabilities: [],
  }),
).toString("base64");
/** Where they come from: the address that honest nodes have too, and many others. */
const CROWDS: Readonly<Record<string, readonly string[]>> = {
  "the address of the honest": ["127.0.0.1"],
  "250 addresses": Array.from({ length: 250 }, (_, i) => `127.0.1.${i + 1}`),
};

let mesh: ProcessMesh;
let crowd: Crowd;
let url = "";
let port = 0;

beforeAll(async () => {
  mesh = new ProcessMesh();
  crowd = await Crowd.start();
  url = (await mesh.start("target", ["--listen", "tcp://127.0.0.1:0"])).listening[0] ?? "";
  port = Number(new URL(url).port);
});

afterAll(async () => {
  await crowd[Symbol.asyncDispose]();
  await mesh.close();
});

function descriptors(): number {
  return readdirSync(`/proc/${mesh.pid("target")}/fd`).length;
}

/** KiB. */
function resident(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${mesh.pid("target")}/status`, "utf8"))?.[1]);
}

/** An honest node with its redials; resolves to the milliseconds from its start of dialling to its link. */
async function join(): Promise<number> {
  await using honest = await createNode({ id: "honest", listen: [], plugins: {}, log: { level: "error" } });
  const began = performance.now();
  honest.peer(url);
  await until(() => (honest.status().links.length > 0 ? true : undefined), 20_000, "the honest node is linked");
  const milliseconds = performance.now() - began;
  await honest.ping("target", { timeout: 10_000 });
  return milliseconds;
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe.skipIf(!LINUX)("a node among strangers", () => {
  for (const [where, from] of Object.entries(CROWDS)) {
    test(`closes 500 that say 1 byte a second within 10 s, out of ${where}, and lets an honest one in within 2 s`, async () => {
      const before = descriptors();
      const strangers = crowd.obeys({ type: "drip", port, from, count: 500, hello: HELLO });
      await until(() => (descriptors() > before + 4 ? true : undefined), 5_000, "strangers are inside");
      expect(await join()).toBeLessThan(2_000);
      expect(descriptors()).toBeLessThanOrEqual(before + LIMITS.strangers + 8);
      const { closed, longest } = await strangers;
      expect(closed).toBe(500);
      expect(longest).toBeLessThan(10_000);
      await until(() => (descriptors() <= before ? true : undefined), 5_000, "all descriptors are free again");
    });
  }

  test("takes 10,000 connections in bursts within bounded memory and descriptors, and lets an honest one in meanwhile", async () => {
    const [before, memory] = [descriptors(), resident()];
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, descriptors())), 20);
    try {
      for (const from of Object.values(CROWDS)) {
        const burst = crowd.obeys({ type: "burst", port, from, count: 5_000, atOnce: 300 });
        await pause(100);
        expect(await join()).toBeLessThan(2_000);
        const { closed, longest } = await burst;
        expect(closed).toBe(5_000);
        expect(longest).toBeLessThan(10_000);
      }
    } finally {
      clearInterval(watch);
    }
    expect(peak).toBeLessThanOrEqual(before + LIMITS.strangers + 40);
    expect(resident() - memory).toBeLessThan(64 * MiB);
    await until(() => (descriptors() <= before ? true : undefined), 5_000, "all descriptors are free again");
  });

  test("says so in few lines, counted", async () => {
    const lines = (): readonly Record<string, unknown>[] => mesh.log("target").filter(({ event }) => event === "strangers");
    const count = (): number => lines().reduce((sum, line) => sum + Number(line["count"]), 0);
    await mesh.signal("target", "SIGTERM");
    await until(() => (count() > 10_000 ? true : undefined), 2_000, "the strangers are counted");
    expect(lines().length).toBeLessThanOrEqual(5);
    expect(mesh.log("target").filter(({ event }) => event === "cut-off").length).toBeLessThan(10);
  });
});
