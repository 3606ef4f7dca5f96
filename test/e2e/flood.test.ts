import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createNode, type MeshNode } from "receptor-mesh";
import { pluginFolder, ProcessMesh, until } from "../support/mesh.ts";
import { enrolled, found } from "../support/members.ts";

const FLOOD = fileURLToPath(new URL("../support/flood.mjs", import.meta.url));
const OTHERS = ["a", "b"] as const;
const PINGS = 40;

let mesh: ProcessMesh;
let greedy: ChildProcess | undefined;
let url = "";
let sent = 0;
/** Milliseconds of a ping before there was a flood. */
let quiet = 0;

beforeAll(async () => {
  mesh = new ProcessMesh();
  await found(mesh.dataDir("hub"));
  for (const id of [...OTHERS, "greedy", "early", "honest"]) await enrolled(mesh.dataDir("hub"), mesh.dataDir(id), id);
  const config = mesh.file("all.yaml", "allow: [{ directive: 'echo:*' }]\n");
  const all = ["--config", config, "--plugin", pluginFolder("echo")];
  url = (await mesh.start("hub", ["--listen", "tls://127.0.0.1:0", ...all])).listening[0] ?? "";
  for (const id of OTHERS) await mesh.start(id, ["--no-listen", "--peer", url, ...all]);
  // The test's own process has read and compiled the library before, as it does so one file at a time.
  await using early = await honestNode("early");
  quiet = await medianPing(early);
  greedy = spawn(process.execPath, [FLOOD, mesh.dataDir("greedy"), url, "hub", ...OTHERS], { stdio: ["ignore", "pipe", "inherit"] });
  if (greedy.stdout === null) throw new Error("no output");
  createInterface({ input: greedy.stdout }).on("line", (line) => (sent = Number(line) || sent));
});

/** In this process. */
async function honestNode(id: string): Promise<MeshNode> {
  const node = await createNode({ dataDir: mesh.dataDir(id), listen: [], peers: [url], plugins: {}, log: { level: "error" } });
  await node.reachable("a", { timeout: 10_000 });
  return node;
}

/** In milliseconds. */
async function medianPing(node: MeshNode): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < PINGS; i++) took.push((await node.ping(OTHERS[i % 2] ?? "a", { timeout: 10_000 })).rtt);
  return took.toSorted((x, y) => x - y)[PINGS / 2] ?? Infinity;
}

afterAll(async () => {
  if (greedy?.exitCode === null && greedy.signalCode === null) {
    greedy.kill("SIGKILL");
    await once(greedy, "exit");
  }
  await mesh.close();
});

test("beside a member that sends to everyone at full speed an honest node joins a secure mesh within 2 s, and its pings take under 50 ms, or a hundred times what they take alone", async () => {
  await until(() => (sent > 10_000 ? true : undefined), 30_000, "the flood has begun");
  const before = sent;
  const began = performance.now();
  await using honest = await honestNode("honest");
  const joined = performance.now() - began;
  expect(honest.status().links).toMatchObject([{ secure: true }]);
  const flooded = await medianPing(honest);
  await until(() => (sent > before ? true : undefined), 10_000, "the flood goes on");
  expect(joined).toBeLessThan(2_000);
  expect(flooded, `ms, and ${quiet} without the flood`).toBeLessThan(Math.max(50, 100 * quiet));
});
