import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Status } from "../../src/node/api.ts";
import { pluginFolder, ProcessMesh, type Ran, until } from "../support/mesh.ts";

const CONFIG = `
node: { groups: [web] }
plugins:
  echo: {}
  shell: { commands: { uptime: { run: uptime } } }
`;
const MEMBERS = ["far", "mid", "near"];

// Commands join through "near", from where "mid" costs 2 and "far" costs 10.
let mesh: ProcessMesh;
let url = "";
let midUrl = "";

beforeAll(async () => {
  mesh = new ProcessMesh();
  const config = join(mesh.folder, "web.yaml");
  writeFileSync(config, CONFIG);
  const shared = ["--config", config, "--plugin", pluginFolder("shell"), "--plugin", pluginFolder("echo"), "--log-level", "debug"];
  const near = await mesh.start("near", ["--listen", "tcp://127.0.0.1:0", "--max-work", "1", ...shared]);
  url = near.listening[0] ?? "";
  const [mid] = await Promise.all([
    mesh.start("mid", ["--listen", "tcp://127.0.0.1:0", "--peer", `${url}?cost=2`, ...shared]),
    mesh.start("far", ["--no-listen", "--peer", `${url}?cost=10`, ...shared]),
  ]);
  midUrl = mid.listening[0] ?? "";
  await statusWith(({ nodes }) => ["mid", "far"].every((id) => nodes.some((node) => node.id === id && node.plugins.length === 2)));
});

afterAll(async () => {
  await mesh.close();
});

async function statusWith(wanted: (status: Status) => boolean, at = url): Promise<void> {
  await until(async () => (wanted(await mesh.status(at)) ? true : undefined), 15_000, "the status is as wanted");
}

function send(...args: readonly string[]): Promise<Ran> {
  return mesh.run(["send", ...args, "--peer", url]);
}

/** Who began to run a work of this directive, as the nodes themselves say. */
function runs(id: string, directive: string): number {
  return mesh.log(id).filter((line) => line["event"] === "work-ended" && line["directive"] === directive).length;
}

describe("send all:web", () => {
  test("prints one answer of each member, with its node", async () => {
    const sent = await send("all:web", "shell:run", "uptime", "--json");
    expect(sent.code, sent.stderr).toBe(0);
    for (const type of ["accepted", "response", "end"]) {
      expect(
        sent.objects
          .filter((event) => event["type"] === type)
          .map(({ node }) => String(node))
          .toSorted(),
        type,
      ).toEqual(MEMBERS);
    }
    for (const response of sent.objects.filter(({ type }) => type === "response")) {
      expect(response).toMatchObject({ serial: 1, text: expect.stringContaining("load average") as unknown });
    }
    expect(new Set(sent.objects.map(({ id }) => id)).size).toBe(3);
    expect(sent.objects.filter(({ type }) => type === "end").map(({ state }) => state)).toEqual(["succeeded", "succeeded", "succeeded"]);
  });

  test("tells the members apart by a prefix", async () => {
    const sent = await send("all:web", "shell:run", "uptime");
    const lines = sent.stdout.trimEnd().split("\n").toSorted();
    expect(lines).toHaveLength(3);
    for (const [index, line] of lines.entries()) expect(line).toMatch(new RegExp(`^${MEMBERS[index]} \\| .*load average`));
    expect(sent.stderr).toBe("");
  });

  test("fails where a member does, and still prints the answers of the others", async () => {
    const sent = await send("all:web", "shell:run", "reboot", "--json");
    expect(sent.objects.map(({ type, state }) => [type, state]).filter(([type]) => type === "end")).toEqual(
      [1, 2, 3].map(() => ["end", "failed"]),
    );
    expect(sent.code).not.toBe(0);
    expect(sent.stdout).toContain("reboot");
  });
});

describe("send any:web", () => {
  test("goes to the nearest member", async () => {
    for (const text of ["one", "two"]) {
      const sent = await send("any:web", "echo:run", text, "--json");
      expect(sent.objects.map(({ type, node }) => [type, node])).toEqual(["accepted", "response", "end"].map((type) => [type, "near"]));
    }
  });

  test("goes to another where the nearest had stopped before it took it, and is run once", async () => {
    const directive = "echo:source";
    const before = MEMBERS.map((id) => runs(id, directive));
    // A member that joins through the others, so that the way does not lead through who is stopped.
    const door = await mesh.start("door", ["--listen", "tcp://127.0.0.1:0", "--peer", `${url}?cost=3`]);
    const doorUrl = door.listening[0] ?? "";
    const args = [
      "--no-listen",
      "--peer",
      doorUrl,
      "--config",
      join(mesh.folder, "web.yaml"),
      "--plugin",
      pluginFolder("echo"),
      "--log-level",
      "debug",
    ];
    await mesh.start("nearest", args);
    await until(
      async () =>
        (await mesh.run(["send", "any:web", "echo:run", "x", "--json", "--peer", doorUrl])).objects[0]?.["node"] === "nearest"
          ? true
          : undefined,
      10_000,
      "the new member is the nearest",
    );
    mesh.nudge("nearest", "SIGSTOP");
    const sent = await mesh.run(["send", "any:web", directive, '{"bytes":3}', "--json", "--peer", doorUrl]);
    expect(sent.code, sent.stdout).toBe(0);
    expect(sent.objects.at(-1)).toMatchObject({ type: "end", node: "near", state: "succeeded" });
    expect(sent.milliseconds).toBeLessThan(8_000);
    mesh.nudge("nearest", "SIGCONT");
    // Once it has done something that was sent later, it has read all that was sent before.
    const later = await mesh.run(["send", "nearest", "echo:count", '{"count":1}', "--ttl", "30", "--json", "--peer", doorUrl]);
    expect(later.code, later.stdout).toBe(0);
    await until(() => (runs("nearest", "echo:count") === 1 ? true : undefined), 5_000, "the later work ended");
    // What it was offered first was told to stop before it began: it may end there as cancelled, and never as done.
    const done = mesh
      .log("nearest")
      .filter((line) => line["event"] === "work-ended" && line["directive"] === directive && line["state"] === "succeeded");
    expect(done).toEqual([]);
    expect(MEMBERS.map((id) => runs(id, directive))).toEqual(before.map((count, index) => count + (MEMBERS[index] === "near" ? 1 : 0)));
  });

  test("goes on to another where the nearest was killed", async () => {
    const door = mesh.log("door").find(({ event }) => event === "ready")?.["listening"] as string[];
    await mesh.kill("nearest");
    const sent = await mesh.run(["send", "any:web", "echo:run", "hello", "--json", "--peer", door[0] ?? ""]);
    expect(sent.code, sent.stdout).toBe(0);
    expect(sent.objects[0]).toMatchObject({ type: "accepted", node: "near" });
  });

  test("goes to the next one while the nearest has work waiting", async () => {
    const long = JSON.stringify({ count: 10_000, interval: 50 });
    const busy = [1, 2].map(() => mesh.follow(["send", "near", "echo:count", long, "--peer", url]));
    // It has told the others.
    await statusWith(({ nodes }) => nodes.some(({ id, work }) => id === "near" && work.queued > 0), midUrl);
    const sent = await send("any:web", "echo:run", "hello", "--json");
    expect(sent.objects.map(({ type, node }) => [type, node])).toEqual(["accepted", "response", "end"].map((type) => [type, "mid"]));
    for (const { child } of busy) child.kill("SIGTERM");
    expect(await Promise.all(busy.map(({ ended }) => ended))).toEqual([143, 143]);
  });
});
