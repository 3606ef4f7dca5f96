import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { MeshNode } from "receptor-mesh";
import { freePort, until } from "../../support/mesh.ts";
import { failure, LocalMesh, type Program, SOON, texts } from "./meshes.ts";

/** Each run adds a line to the file that the payload names, then goes on until the file is there that it waits for. */
const RUNS = `(() => {
  const run = async function* (input, context) {
    const { runs, until } = await input.json();
    appendFileSync(runs, "run\\n");
    // Says more with each run.
    yield "begun" + "!".repeat(readFileSync(runs, "utf8").length);
    while (until !== undefined && !existsSync(until)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      context.signal.throwIfAborted();
    }
    yield "done";
  };
  return { name: "runs", actions: { once: run, again: { idempotent: true, run } } };
})()`;

let mesh: LocalMesh;
let relay: MeshNode;
let runs: string;

beforeEach(async () => {
  mesh = new LocalMesh();
  relay = await mesh.node("relay");
  runs = join(mesh.folder, "runs");
});

afterEach(async () => {
  await mesh.close();
});

const runCount = (): number => (existsSync(runs) ? readFileSync(runs, "utf8").split("\n").length - 1 : 0);

async function startWorker(): Promise<Program> {
  const program = mesh.program("serve", {
    node: { id: "worker", peers: relay.listening, dataDir: join(mesh.folder, "worker"), extraPlugins: [mesh.plugin("runs", RUNS)] },
  });
  await program.line("ready");
  await relay.reachable("worker", { timeout: SOON });
  return program;
}

async function startController(): Promise<MeshNode> {
  const controller = await mesh.node("controller", { listen: [], peers: [...relay.listening] });
  await controller.reachable("worker", { timeout: SOON });
  return controller;
}

/** Kills the worker in the middle of a work, and starts it again. */
async function interrupt(directive: string, durable: boolean): Promise<{ readonly result: Promise<unknown>; readonly worker: Program }> {
  const worker = await startWorker();
  const controller = await startController();
  const work = await controller.send("worker", directive, { runs, until: join(mesh.folder, "go") }, { durable, ttl: 60_000 });
  const result = texts(work);
  result.catch(() => undefined);
  await until(() => (runCount() === 1 ? true : undefined), SOON, "it runs");
  await worker.kill();
  return { result, worker: await startWorker() };
}

describe("a durable message", () => {
  test("survives the kill -9 of its origin, is sent when that restarts, and runs exactly once", async () => {
    const port = await freePort();
    const node = { id: "controller", peers: [`tcp://127.0.0.1:${port}`], dataDir: join(mesh.folder, "controller") };
    const first = mesh.program("send", {
      node,
      directive: "runs:once",
      payload: JSON.stringify({ runs }),
      send: { durable: true, ttl: 60_000, waitFor: "parked" },
    });
    const { id } = await first.line("sent");
    await first.kill();
    expect(runCount()).toBe(0);

    const hub = await mesh.node("hub", { listen: [`tcp://127.0.0.1:${port}`], peers: [...relay.listening] });
    const worker = await startWorker();
    await hub.reachable("worker", { timeout: SOON });
    mesh.program("serve", { node });
    const ended = await worker.line("work-ended");
    expect(ended).toMatchObject({ id, directive: "runs:once", peer: "controller", state: "succeeded" });
    const seen = await texts(await relay.attach(String(id), { node: "worker" }));
    expect(seen).toEqual(["begun!!!!", "done"]);
    expect(runCount()).toBe(1);
  });
});

describe("MeshNode.attach for a durable message of an earlier life", () => {
  let hub: string;
  let origin: { readonly id: string; readonly listen: string[]; readonly peers: string[]; readonly dataDir: string };

  beforeEach(async () => {
    hub = `tcp://127.0.0.1:${await freePort()}`;
    origin = { id: "origin", listen: [], peers: [hub], dataDir: join(mesh.folder, "origin") };
  });

  /** Sends where there is no way yet, and dies of it; the id. */
  async function sendAndDie(ttl: number): Promise<string> {
    const first = mesh.program("send", {
      node: origin,
      directive: "runs:once",
      payload: JSON.stringify({ runs }),
      send: { durable: true, ttl, waitFor: "parked" },
    });
    const { id } = await first.line("sent");
    await first.kill();
    return String(id);
  }

  async function openWay(): Promise<void> {
    await mesh.node("hub", { listen: [hub], peers: [...relay.listening] });
    await startWorker();
  }

  test("gives the message that still waits, which goes on to its end", async () => {
    const id = await sendAndDie(60_000);
    const node = await mesh.node("origin", origin);
    expect(node.status().work).toMatchObject([{ id, directive: "runs:once", role: "sender", peer: "worker" }]);
    const work = await node.attach(id, { node: "worker" });
    expect(work.state).toBe("parked");
    await openWay();
    expect(await texts(work)).toEqual(["begun!!!!", "done"]);
    expect(runCount()).toBe(1);
    expect(node.status().work).toEqual([]);
  });

  test("gives the work that was accepted meanwhile, also through who sent it, and keeps nothing of what nobody asked for", async () => {
    const id = await sendAndDie(60_000);
    const node = await mesh.node("origin", origin);
    await openWay();
    await until(() => (runCount() === 1 ? true : undefined), SOON, "it runs");
    await until(() => (node.status().work.length === 0 ? true : undefined), SOON, "the origin has let go of it");
    await relay.reachable("origin", { timeout: SOON });
    expect(await texts(await relay.attach(id, { node: "origin" }))).toEqual(["begun!!!!", "done"]);
    expect(await texts(await node.attach(id, { node: "worker" }))).toEqual(["begun!!!!", "done"]);
  });

  test("tells how it failed before it was asked for", async () => {
    const id = await sendAndDie(1_500);
    const node = await mesh.node("origin", origin);
    await until(() => (node.status().work.length === 0 ? true : undefined), SOON, "its time is over");
    await failure(texts(await node.attach(id, { node: "worker" })), "EXPIRED");
    expect(runCount()).toBe(0);
  });
});

describe("work whose worker is killed while it runs", () => {
  test.each([true, false])("ends with WORK_INTERRUPTED and never runs again (durable: %s)", async (durable) => {
    const { result, worker } = await interrupt("runs:once", durable);
    await failure(result, "WORK_INTERRUPTED");
    // What is sent after it has run, and it has not.
    const controller = await mesh.node("second", { listen: [], peers: [...relay.listening] });
    await controller.reachable("worker", { timeout: SOON });
    expect(await texts(await controller.send("worker", "runs:once", { runs: join(mesh.folder, "other") }))).toEqual(["begun!!!!", "done"]);
    expect(runCount()).toBe(1);
    expect(worker.lines.filter(({ type }) => type === "work-accepted").length).toBe(1);
  });

  test("runs again where the message is durable and its action idempotent", async () => {
    const { result } = await interrupt("runs:again", true);
    await until(() => (runCount() === 2 ? true : undefined), SOON, "it runs again");
    writeFileSync(join(mesh.folder, "go"), "");
    expect(await result).toEqual(["begun!!!!", "done"]);
    expect(runCount()).toBe(2);
  });
});
