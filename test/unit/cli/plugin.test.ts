import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Services } from "../../../src/cli/context.ts";
import type { Status } from "../../../src/node/api.ts";
import { answeringNode, cli, lines, STATUS } from "./fakes.ts";

const ECHO = { name: "echo", package: "receptor-echo", version: "0.1.0", actions: ["run", "count"] };

function npm(calls: unknown[]): Partial<Services> {
  return {
    installPlugin: async (folder, spec, options) => {
      calls.push(["install", folder, spec, options.allowScripts]);
      return ECHO;
    },
    removePlugin: async (folder, name) => void calls.push(["remove", folder, name]),
    listInstalled: async (folder) => {
      calls.push(["list", folder]);
      return [ECHO, { name: "bad", package: "bad", version: "1.0.0", error: "asks for another API" }];
    },
  };
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "receptor-cli-plugin-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe("receptor plugin add and remove", () => {
  it("work in the plugin folder of the data folder", async () => {
    const calls: unknown[] = [];
    const services = npm(calls);
    expect(await cli(["plugin", "add", "receptor-echo@1", "--data-dir", "/d"], { services })).toMatchObject({
      exit: 0,
      stdout: "installed echo 0.1.0 (receptor-echo)\n",
    });
    await cli(["plugin", "add", "./x", "--allow-scripts"], { services, env: { RECEPTOR_DATA_DIR: "data" }, cwd: "/start" });
    expect(await cli(["plugin", "remove", "echo", "-d", "/d"], { services })).toMatchObject({ exit: 0, stdout: "removed echo\n" });
    expect(calls).toEqual([
      ["install", "/d/plugins", "receptor-echo@1", false],
      ["install", "/start/data/plugins", "./x", true],
      ["remove", "/d/plugins", "echo"],
    ]);
  });

  it("print objects with --json", async () => {
    const services = npm([]);
    expect((await cli(["plugin", "add", "x", "-d", "/d", "--json"], { services })).objects).toEqual([ECHO]);
    expect((await cli(["plugin", "remove", "x", "-d", "/d", "--json"], { services })).objects).toEqual([{ removed: "x" }]);
  });

  it("ask the running node for its folder where none was named", async () => {
    const calls: unknown[] = [];
    const dataDir = await folder();
    const node = answeringNode({ "mesh:info": [{ node: "hub", version: "1", dataDir, pid: 123, host: hostname() }] });
    const { stderr } = await cli(["plugin", "add", "x"], { services: npm(calls), node });
    expect(calls).toEqual([["install", join(dataDir, "plugins"), "x", false]]);
    expect(stderr).toContain("process 123");
  });

  it("do not install for a node on another machine", async () => {
    const calls: unknown[] = [];
    const node = answeringNode({ "mesh:info": [{ node: "far", version: "1", dataDir: "/", pid: 1, host: "elsewhere" }] });
    const ran = await cli(["plugin", "add", "x", "--peer", "a:1"], { services: npm(calls), node });
    expect(ran).toMatchObject({ exit: 2, stderr: expect.stringContaining("far runs on elsewhere") });
    expect(calls).toEqual([]);
  });

  it("fall back to the default folder where no node answers, unless one was named", async () => {
    const calls: unknown[] = [];
    expect((await cli(["plugin", "add", "x"], { services: npm(calls), env: { RECEPTOR_NODE_ID: "a" } })).exit).toBe(0);
    expect(calls).toEqual([["install", "/nowhere/receptor-mesh/a/plugins", "x", false]]);
    expect((await cli(["plugin", "add", "x", "--peer", "a:1"], { services: npm(calls) })).exit).toBe(6);
  });
});

describe("receptor plugin list", () => {
  const advertised: Status = {
    ...STATUS,
    nodes: [
      {
        id: "hub",
        reachable: true,
        via: "hub",
        cost: 1,
        hops: 1,
        groups: [],
        ephemeral: false,
        plugins: [{ name: "sleep", version: "2.0.0", actions: ["run"] }],
        work: { running: 0, queued: 0 },
      },
    ],
  };

  it("shows what is installed in a data folder, and what is wrong with it", async () => {
    const calls: unknown[] = [];
    const { stdout } = await cli(["plugin", "list", "-d", "/d"], { services: npm(calls) });
    expect(calls).toEqual([["list", "/d/plugins"]]);
    expect(lines(stdout)).toEqual([
      "PLUGIN  VERSION  ACTIONS",
      "echo    0.1.0    run, count",
      "bad     1.0.0    cannot be loaded: asks for another API",
    ]);
  });

  it("shows what the running node has and where it runs, with --peer, and where no folder is named", async () => {
    const isolated = { name: "shell", version: "1.0.0", actions: ["run"], isolated: true, pid: 7, restarts: 0 };
    const trusted = { name: "echo", version: "1.0.0", actions: ["run", "sink"], isolated: false };
    const node = answeringNode({ "mesh:status": [{ ...STATUS, plugins: [isolated, trusted] }] });
    expect((await cli(["plugin", "list", "--json"], { node })).objects).toEqual([isolated, trusted]);
    expect(lines((await cli(["plugin", "list", "--peer", "a:1"], { node, env: { RECEPTOR_DATA_DIR: "/d" } })).stdout)).toEqual([
      "PLUGIN  VERSION  ACTIONS    PROCESS",
      "shell   1.0.0    run        its own",
      "echo    1.0.0    run, sink  the node's",
    ]);
  });

  it("shows what an older node advertises", async () => {
    const { plugins: _, ...older } = STATUS;
    const node = { ...answeringNode({ "mesh:status": [older] }), status: () => advertised };
    expect((await cli(["plugin", "list", "--json"], { node })).objects).toEqual([{ name: "sleep", version: "2.0.0", actions: ["run"] }]);
    expect(lines((await cli(["plugin", "list", "--peer", "a:1"], { node, env: { RECEPTOR_DATA_DIR: "/d" } })).stdout)).toEqual([
      "PLUGIN  VERSION  ACTIONS",
      "sleep   2.0.0    run",
    ]);
  });

  it("ends with 6 where there is neither", async () => expect((await cli(["plugin", "list"])).exit).toBe(6));
});
