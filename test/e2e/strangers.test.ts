import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createNode, type MeshNode, type NodeOptions } from "receptor-mesh";
import { LIMITS } from "../../src/core/limits.ts";
import { FRAME } from "../../src/wire/frame.ts";
import { encodeHello } from "../../src/wire/greeting.ts";
import { greetingOf, linkFrame } from "../integration/hostile/raw-peer.ts";
import { enrolled, found } from "../support/members.ts";
import { ProcessMesh, until } from "../support/mesh.ts";
import { Crowd } from "../support/strangers/crowd.ts";

const MiB = 1024;
const LINUX = process.platform === "linux";
/** Where they come from: the address that honest nodes have too, and many others. */
const CROWDS: Readonly<Record<string, readonly string[]>> = {
  "the address of the honest": ["127.0.0.1"],
  "250 addresses": Array.from({ length: 250 }, (_, i) => `127.0.1.${i + 1}`),
};
/** What the slow say: in a secure mesh what makes the node begin a handshake. */
const OPENINGS = {
  tls: clientHello,
  tcp: () => Promise.resolve(Buffer.from(linkFrame(FRAME.hello, encodeHello(greetingOf("drip"))))),
};

/** What a program says first that speaks TLS. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connectTls({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, minVersion: "TLSv1.3" });
  socket.on("error", () => undefined);
  const [accepted] = await once(server, "connection");
  const [bytes] = (await once(accepted, "data")) as [Buffer];
  socket.destroy();
  server.close();
  return bytes;
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const median = (numbers: readonly number[]): number => numbers.toSorted((x, y) => x - y)[Math.floor(numbers.length / 2)] ?? Infinity;

describe.skipIf(!LINUX).each(["tls", "tcp"] as const)("a node among strangers that come by %s", (scheme) => {
  let mesh: ProcessMesh;
  let crowd: Crowd;
  let member: MeshNode;
  let url = "";
  let port = 0;
  let hello = "";

  beforeAll(async () => {
    mesh = new ProcessMesh();
    crowd = await Crowd.start();
    if (scheme === "tls") {
      await found(mesh.dataDir("hub"));
      for (const id of ["target", "member", "honest"]) await enrolled(mesh.dataDir("hub"), mesh.dataDir(id), id);
    }
    url = (await mesh.start("target", ["--listen", `${scheme}://127.0.0.1:0`])).listening[0] ?? "";
    port = Number(new URL(url).port);
    member = await node("member", { peers: [url] });
    await member.reachable("target");
    hello = (await OPENINGS[scheme]()).toString("base64");
  });

  afterAll(async () => {
    await member?.close();
    await crowd[Symbol.asyncDispose]();
    await mesh.close();
  });

  async function node(id: string, options: NodeOptions = {}): Promise<MeshNode> {
    const own = scheme === "tls" ? { dataDir: mesh.dataDir(id) } : { id };
    return await createNode({ ...own, listen: [], plugins: {}, log: { level: "error" }, ...options });
  }

  function descriptors(): number {
    return readdirSync(`/proc/${mesh.pid("target")}/fd`).length;
  }

  /** KiB. */
  function resident(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${mesh.pid("target")}/status`, "utf8"))?.[1]);
  }

  /** An honest node with its redials; resolves to the milliseconds from its start of dialling to its link. */
  async function join(): Promise<number> {
    await using honest = await node("honest");
    const began = performance.now();
    honest.peer(url);
    await until(() => (honest.status().links.length > 0 ? true : undefined), 20_000, "the honest node is linked");
    const milliseconds = performance.now() - began;
    expect(honest.status().links).toMatchObject([{ secure: scheme === "tls" }]);
    await honest.reachable("target", { timeout: 10_000 });
    await honest.ping("target", { timeout: 10_000 });
    return milliseconds;
  }

  /** The round trips of a member that pings as long as something goes on. */
  async function during(what: Promise<unknown>): Promise<readonly number[]> {
    const over = new AbortController();
    const end = what.finally(() => over.abort()).catch(() => undefined);
    const took: number[] = [];
    while (!over.signal.aborted) {
      took.push((await member.ping("target", { timeout: 10_000 })).rtt);
      await pause(20);
    }
    await end;
    return took;
  }

  for (const [where, from] of Object.entries(CROWDS)) {
    test(`closes 500 that say 1 byte a second within 10 s, out of ${where}; an honest one joins within 2 s, and pings take under 50 ms`, async () => {
      const before = descriptors();
      const strangers = crowd.obeys({ type: "drip", port, from, count: 500, hello });
      const pings = during(strangers);
      await until(() => (descriptors() > before + 4 ? true : undefined), 5_000, "strangers are inside");
      expect(await join()).toBeLessThan(2_000);
      expect(descriptors()).toBeLessThanOrEqual(before + LIMITS.strangers + 8);
      const { closed, longest } = await strangers;
      expect(closed).toBe(500);
      expect(longest).toBeLessThan(10_000);
      const rtts = await pings;
      expect(rtts.length).toBeGreaterThan(20);
      expect(median(rtts)).toBeLessThan(50);
      await until(() => (descriptors() <= before ? true : undefined), 5_000, "all descriptors are free again");
    });
  }

  test("takes 10,000 connections in bursts within bounded memory and descriptors; an honest one joins within 2 s, and pings take under 50 ms", async () => {
    const [before, memory] = [descriptors(), resident()];
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, descriptors())), 20);
    try {
      for (const from of Object.values(CROWDS)) {
        const burst = crowd.obeys({ type: "burst", port, from, count: 5_000, hello: "", atOnce: 300 });
        const pings = during(burst);
        await pause(100);
        expect(await join()).toBeLessThan(2_000);
        const { closed, longest } = await burst;
        expect(closed).toBe(5_000);
        expect(longest).toBeLessThan(10_000);
        const rtts = await pings;
        expect(median(rtts)).toBeLessThan(50);
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
    expect(lines().length).toBeLessThanOrEqual(scheme === "tls" ? 10 : 5);
    expect(mesh.log("target").filter(({ event }) => event === "cut-off").length).toBeLessThan(10);
  });
});
