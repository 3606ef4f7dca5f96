import { X509Certificate } from "node:crypto";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createNode, isMeshError, type MeshNode } from "receptor-mesh";
import { identityFiles } from "../../src/identity/paths.ts";
import { freePort, pluginFolder, ProcessMesh, type Ran, until } from "../support/mesh.ts";

/** Certificates end so soon that a node renews its own while messages pass. */
const VALIDITY = 15;
const OUT = 5_000;
let mesh: ProcessMesh;
let hub = 0;
let relay = 0;
let controller: MeshNode;

const serialOf = (id: string): string => new X509Certificate(readFileSync(identityFiles(mesh.dataDir(id)).certificate)).serialNumber;

/** A command in the data folder of a node. */
const at = (id: string, ...args: readonly string[]): Promise<Ran> => mesh.run([...args, "--data-dir", mesh.dataDir(id), "--json"]);

/** The way of a node whose authority is nowhere in the mesh. */
async function signedOffline(id: string): Promise<void> {
  expect((await at(id, "cert", "request", "--id", id)).code).toBe(0);
  expect((await at("a", "cert", "sign", join(mesh.folder, `${id}.request`))).code).toBe(0);
  const installed = await at(id, "cert", "install", join(mesh.folder, `${id}.crt`));
  expect(installed.objects[0], installed.stderr).toMatchObject({ type: "certificate", node: id });
}

beforeAll(async () => {
  mesh = new ProcessMesh();
  [hub, relay] = [await freePort(), await freePort()];
  const made = await at("a", "mesh", "init", "--id", "a", "--validity", String(VALIDITY));
  const token = String(made.objects[0]?.["token"]);
  await mesh.start("a", ["--listen", `tls://127.0.0.1:${hub}`]);
  await mesh.start("relay", ["--listen", `tls://127.0.0.1:${relay}`, "--peer", `127.0.0.1:${hub}`, "--token", token]);
  const file = join(mesh.folder, "worker.yaml");
  writeFileSync(file, "allow: [{ directive: 'echo:*' }]\n");
  const peers = ["--peer", `127.0.0.1:${relay}`, "--peer", `127.0.0.1:${hub}`];
  await mesh.start("worker", ["--no-listen", ...peers, "--token", token, "--config", file, "--plugin", pluginFolder("echo")]);
  await mesh.start("victim", ["--no-listen", ...peers, "--token", token]);
  await signedOffline("controller");
  controller = await createNode({
    dataDir: mesh.dataDir("controller"),
    listen: [],
    peers: [`tls://127.0.0.1:${relay}`],
    log: { level: "silent" },
  });
  await controller.reachable("worker");
  await controller.reachable("victim");
});

afterAll(async () => {
  await controller?.close();
  await mesh.close();
});

interface Load {
  /** What was asked for, and what was answered. */
  readonly sent: number;
  readonly answered: number;
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** Sends work all the while, some at a time. */
function load(): Load {
  const stopped = new AbortController();
  const counts = { sent: 0, answered: 0, failures: [] as string[] };
  const one = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const text = `message ${counts.sent++}`;
      try {
        const work = await controller.send("worker", "echo:run", text, { ttl: 30_000 });
        for await (const response of work) if (response.text() === text) counts.answered++;
        await work.result();
      } catch (error) {
        counts.failures.push(isMeshError(error) ? `${error.code}: ${error.message}` : String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const loops = [one(), one(), one(), one()];
  return {
    get sent() {
      return counts.sent;
    },
    get answered() {
      return counts.answered;
    },
    get failures() {
      return counts.failures;
    },
    async stop() {
      stopped.abort();
      await Promise.all(loops);
    },
  };
}

describe("while messages pass", () => {
  test("every node renews its certificate by itself, and neither a message nor a link is lost", async () => {
    const ids = ["a", "relay", "worker", "victim", "controller"];
    const before = ids.map(serialOf);
    const links = new Set<string>();
    const stop = new AbortController();
    void (async () => {
      for await (const event of controller.events({ signal: stop.signal })) if (event.type === "link-down") links.add(event.peer);
    })().catch(() => undefined);
    const under = load();
    await until(() => (ids.every((id, index) => serialOf(id) !== before[index]) ? true : undefined), 2 * VALIDITY * 1_000, "all are new");
    // By command as well, for a new key. Where its own time comes just then, the node is first to read what the command has got.
    const readings = (): number =>
      mesh.log("worker").filter(({ event }) => event === "certificates-reloaded" || event === "certificate-renewed").length;
    const earlier = readings();
    const renewed = await at("worker", "cert", "renew", "--new-key", "--peer", `127.0.0.1:${relay}`);
    expect(renewed.code, renewed.stdout + renewed.stderr).toBe(0);
    await until(() => (readings() > earlier ? true : undefined), 10_000, "the worker uses what the command has got");
    await under.stop();
    stop.abort();
    expect(under.failures).toEqual([]);
    expect(under.sent).toBeGreaterThan(100);
    expect(under.answered).toBe(under.sent);
    expect([...links]).toEqual([]);
    for (const id of ["a", "relay", "worker"])
      expect(
        mesh.log(id).filter(({ event }) => event === "link-down"),
        id,
      ).toEqual([]);
  });

  test("a revoked node is out everywhere within 5 s, and no message of the others is lost", async () => {
    const under = load();
    await until(() => (under.answered > 20 ? true : undefined), 10_000, "messages pass");
    // Nobody renews it from here on.
    expect((await at("victim", "cert", "renew", "--peer", `127.0.0.1:${relay}`)).code).toBe(0);
    const started = performance.now();
    const revoked = await at("a", "cert", "revoke", "victim");
    expect(revoked.objects[0], revoked.stderr).toMatchObject({ revoked: "victim" });
    for (const id of ["a", "relay", "worker"])
      await until(
        () => (mesh.log(id).some(({ event, number }) => event === "revocations" && Number(number) > 0) ? true : undefined),
        OUT,
        `${id} has the list`,
      );
    await until(() => (controller.status().nodes.every(({ id }) => id !== "victim") ? true : undefined), OUT, "the controller forgets it");
    // What a command takes to start is in it.
    const out = performance.now() - started;
    await until(() => (mesh.log("victim").some(({ event }) => event === "revoked") ? true : undefined), OUT, "the victim hears of it");
    const times = (event: string): number => mesh.log("victim").filter((line) => line["event"] === event).length;
    await until(() => (times("link-down") >= 2 ? true : undefined), OUT, "the victim has lost its links");
    // Nor as a command, which shows its certificate at any node.
    const command = await mesh.run([
      "ping",
      "a",
      "-c",
      "1",
      "--data-dir",
      mesh.dataDir("victim"),
      "--peer",
      `127.0.0.1:${relay}`,
      "--json",
    ]);
    expect(command.code).toBe(6);
    expect(command.stdout).toMatch(/revoked/);
    await under.stop();
    expect(out).toBeLessThan(OUT);
    expect(under.failures).toEqual([]);
    expect(under.answered).toBe(under.sent);
    expect(times("link-up")).toBe(times("link-down"));
  });
});

test("a node with the authority's key signs only where it is told to", async () => {
  const id = "worker";
  const { authorityKey } = identityFiles(mesh.dataDir(id));
  copyFileSync(identityFiles(mesh.dataDir("a")).authorityKey, authorityKey);
  mesh.nudge(id, "SIGHUP");
  await until(() => (mesh.log(id).some(({ event }) => event === "reloaded") ? true : undefined), 10_000, "it has read its configuration");
  // What it would say has the time to arrive.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(
    controller
      .status()
      .nodes.filter(({ plugins }) => plugins.some(({ name }) => name === "mesh"))
      .map(({ id: node }) => node),
  ).toEqual(["a"]);
  writeFileSync(join(mesh.folder, "worker.yaml"), "allow: [{ directive: 'echo:*' }]\nmesh: { sign: true }\n");
  mesh.nudge(id, "SIGHUP");
  await until(
    () => (controller.status().nodes.some((node) => node.id === id && node.plugins.some(({ name }) => name === "mesh")) ? true : undefined),
    10_000,
    "it says that it signs",
  );
  rmSync(authorityKey);
});
