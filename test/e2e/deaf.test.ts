import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createNode } from "receptor-mesh";
import { pluginFolder, ProcessMesh } from "../support/mesh.ts";

const DEAF = fileURLToPath(new URL("../support/deaf.mjs", import.meta.url));
/** Milliseconds; less than after which the hub gives up a neighbour that says nothing. */
const WATCHED = 8_000;

let mesh: ProcessMesh;
let deaf: ChildProcess;
let url = "";

beforeAll(async () => {
  mesh = new ProcessMesh();
  url = (await mesh.start("hub", ["--listen", "tcp://127.0.0.1:0"])).listening[0] ?? "";
  await mesh.start("worker", ["--no-listen", "--peer", url, "--max-work", "100", "--plugin", pluginFolder("echo")]);
  deaf = spawn(process.execPath, [DEAF, url, "worker"], { stdio: ["ignore", "pipe", "inherit"] });
  if (deaf.stdout === null) throw new Error("no output");
  await once(deaf.stdout, "data");
});

afterAll(async () => {
  deaf.kill("SIGKILL");
  if (deaf.exitCode === null && deaf.signalCode === null) await once(deaf, "exit");
  await mesh.close();
});

test("a program that reads no answers holds nobody else back: what others ask the same worker is answered", async () => {
  await using other = await createNode({ id: "other", listen: [], peers: [url], plugins: {}, log: { level: "error" } });
  await other.reachable("worker", { timeout: 10_000 });
  const until = performance.now() + WATCHED;
  while (performance.now() < until) {
    await other.ping("worker", { timeout: 2_000 });
    const work = await other.send("worker", "echo:run", "hello", { ttl: 0, deadline: 2_000 });
    expect(await work.result()).toMatchObject({ state: "succeeded" });
  }
});
