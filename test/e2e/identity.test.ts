import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Status } from "../../src/node/api.ts";
import { freePort, ProcessMesh, until } from "../support/mesh.ts";

let mesh: ProcessMesh;
let url = "";

beforeEach(async () => {
  mesh = new ProcessMesh();
  url = (await mesh.start("hub", ["--listen", "tcp://127.0.0.1:0"])).listening[0] ?? "";
});

afterEach(async () => {
  await mesh.close();
});

async function statusWith(wanted: (status: Status) => boolean, limit: number, what: string, at = url): Promise<number> {
  return (await until(async () => (wanted(await mesh.status(at)) ? true : undefined), limit, what)).milliseconds;
}

const has = (id: string) => (status: Status) => status.nodes.some((node) => node.id === id && node.reachable);

/** Milliseconds of the hub's log between what happened to a peer last. */
function linkedAt(id: string): number {
  const up = mesh.log("hub").findLast((line) => line["event"] === "node-up" && line["peer"] === id);
  return Date.parse(String(up?.["time"]));
}

describe("a node that comes back", () => {
  test("after kill -9 is a member again within 2 s", async () => {
    await mesh.start("worker", ["--no-listen", "--peer", url]);
    await statusWith(has("worker"), 10_000, "the worker joined");
    await mesh.kill("worker");
    await mesh.restart("worker");
    const ready = Date.parse(String(mesh.log("worker").find(({ event }) => event === "ready")?.["time"]));
    await statusWith(has("worker"), 10_000, "the worker is back");
    const sent = await mesh.run(["ping", "worker", "-c", "1", "--json", "--peer", url]);
    expect(sent.code, sent.stdout).toBe(0);
    expect(linkedAt("worker") - ready).toBeLessThan(2_000);
  });

  test("with its data folder wiped is a member again at once", async () => {
    await mesh.start("worker", ["--no-listen", "--peer", url]);
    await statusWith(has("worker"), 10_000, "the worker joined");
    // A few lives, so that the mesh remembers a greater epoch than the one that a wiped node begins with.
    for (let life = 0; life < 2; life++) {
      await mesh.kill("worker");
      await mesh.restart("worker");
    }
    await statusWith(has("worker"), 10_000, "the worker is back");
    await mesh.kill("worker");
    rmSync(mesh.dataDir("worker"), { recursive: true });
    await mesh.start("worker", ["--no-listen", "--peer", url, "--group", "wiped"]);
    const ready = Date.parse(String(mesh.log("worker").find(({ event }) => event === "ready")?.["time"]));
    // What it says now counts, and not what the mesh remembers of it.
    const isNew = ({ nodes }: Status): boolean =>
      nodes.some(({ id, reachable, groups }) => id === "worker" && reachable && groups.includes("wiped"));
    await statusWith(isNew, 5_000, "the wiped worker is back");
    expect(linkedAt("worker") - ready).toBeLessThan(2_000);
    const sent = await mesh.run(["ping", "worker", "-c", "2", "-i", "0.2", "--json", "--peer", url]);
    expect(sent.objects.filter(({ rtt }) => typeof rtt === "number")).toHaveLength(2);
  });
});

describe("a second live node with a taken id", () => {
  const second = (peer: string): readonly string[] => [
    "node",
    "--id",
    "worker",
    "--data-dir",
    `${mesh.folder}/second`,
    "--no-listen",
    "--peer",
    peer,
    "--json",
  ];

  /** The elder answers, and is the same process as before. */
  async function elderGoesOn(): Promise<void> {
    const sent = await mesh.run(["ping", "worker", "-c", "1", "--json", "--peer", url]);
    expect(sent.code, sent.stdout).toBe(0);
    expect(() => process.kill(mesh.pid("worker"), 0)).not.toThrow();
  }

  test("ends with 78 and the address of the other where both dial one peer", async () => {
    await mesh.start("worker", ["--no-listen", "--peer", url]);
    await statusWith(has("worker"), 10_000, "the elder joined");
    const address = (await mesh.status(url)).links.find(({ peer }) => peer === "worker")?.url ?? "?";
    const ran = await mesh.run(second(url), { timeout: 20_000 });
    expect(ran.code, ran.stdout + ran.stderr).toBe(78);
    expect(ran.objects.at(-1)).toMatchObject({ error: { code: "DUPLICATE_NODE" } });
    const { message } = (ran.objects.at(-1)?.["error"] ?? {}) as { message?: string };
    expect(message).toContain('"worker"');
    expect(message).toContain(address);
    await elderGoesOn();
  });

  test("ends with 78 and the address of the other where it dials that one", async () => {
    const elder = await mesh.start("worker", ["--listen", "tcp://127.0.0.1:0", "--peer", url]);
    await statusWith(has("worker"), 10_000, "the elder joined");
    const address = elder.listening[0] ?? "?";
    const ran = await mesh.run(second(address), { timeout: 20_000 });
    expect(ran.code, ran.stdout + ran.stderr).toBe(78);
    expect(ran.objects.at(-1)).toMatchObject({ error: { code: "DUPLICATE_NODE" } });
    const { message } = (ran.objects.at(-1)?.["error"] ?? {}) as { message?: string };
    expect(message).toContain('"worker"');
    expect(message).toContain(address);
    await elderGoesOn();
  });

  test("ends with 78 where the two are known only across the mesh", async () => {
    const other = await mesh.start("other", ["--listen", "tcp://127.0.0.1:0", "--peer", url]);
    await mesh.start("worker", ["--no-listen", "--peer", url]);
    await statusWith((status) => has("worker")(status) && has("other")(status), 10_000, "the elder joined");
    const ran = await mesh.run(second(other.listening[0] ?? ""), { timeout: 40_000 });
    expect(ran.code, ran.stdout + ran.stderr).toBe(78);
    expect(ran.objects.at(-1)).toMatchObject({ error: { code: "DUPLICATE_NODE" } });
    await elderGoesOn();
  });
});

describe("two nodes that dial each other", () => {
  test("end up with one link each", async () => {
    const [one, two] = [await freePort(), await freePort()].map((port) => `tcp://127.0.0.1:${port}`);
    if (one === undefined || two === undefined) return expect.unreachable();
    await Promise.all([mesh.start("alpha", ["--listen", one, "--peer", two]), mesh.start("beta", ["--listen", two, "--peer", one])]);
    await statusWith(has("beta"), 10_000, "alpha sees beta", one);
    await statusWith(({ links }) => links.length === 1, 10_000, "alpha has one link", one);
    await statusWith(({ links }) => links.length === 1, 10_000, "beta has one link", two);
    // The dialer of the link that went rests: both sides still have the same one after both have been asked.
    const [first, second] = [await mesh.status(one), await mesh.status(two)];
    expect(first.links.map(({ peer }) => peer)).toEqual(["beta"]);
    expect(second.links.map(({ peer }) => peer)).toEqual(["alpha"]);
    expect(first.links[0]?.direction).not.toBe(second.links[0]?.direction);
    expect(first.edges).toEqual(second.edges);
  });
});
