import { describe, expect, it } from "vitest";
import type { NodeStatus, Status } from "../../../src/node/api.ts";
import { answeringNode, cli, lines, type Sent, STATUS } from "./fakes.ts";

const node = (id: string, more: Partial<NodeStatus> = {}): NodeStatus => ({
  id,
  reachable: true,
  via: id,
  cost: 1,
  hops: 1,
  groups: [],
  ephemeral: false,
  plugins: [],
  work: { running: 0, queued: 0 },
  ...more,
});

const full: Status = {
  ...STATUS,
  nodes: [
    node("cli-1", { ephemeral: true }),
    node("worker", {
      via: "relay",
      hops: 2,
      cost: 2,
      groups: ["web"],
      plugins: [{ name: "echo", version: "0.1.0", actions: ["run"] }],
      work: { running: 1, queued: 2 },
    }),
    node("gone", { reachable: false, via: null, cost: null, hops: null }),
  ],
  links: [
    { peer: "relay", url: "tcp://127.0.0.1:1", direction: "out", cost: 1, rtt: 0.4, since: 65, secure: true },
    { peer: "cli-1", url: "tcp://127.0.0.1:2", direction: "in", cost: 1, rtt: null, since: 1, secure: false },
  ],
  edges: [
    { between: ["hub", "relay"], cost: 1 },
    { between: ["cli-1", "hub"], cost: 1 },
  ],
  parked: { messages: 2, bytes: 2_048, destinations: [{ node: "gone", messages: 2, bytes: 2_048 }] },
  work: [
    { id: "w-1", directive: "sleep:run", role: "worker", peer: "ctl", state: "running", responses: 3, since: 12 },
    { id: "w-2", directive: "mesh:status", role: "worker", peer: "cli-1", state: "running", responses: 0, since: 0 },
  ],
  warnings: ["a link\u001b[31m flaps"],
};

describe("receptor status", () => {
  it("asks the node that it is linked to", async () => {
    const sent: Sent[] = [];
    await cli(["status"], { node: answeringNode({ "mesh:status": [STATUS] }, sent) });
    expect(sent).toMatchObject([{ target: "hub", directive: "mesh:status" }]);
  });

  it("prints one object of the same shape with --json, without the short-lived node that asked", async () => {
    const { objects } = await cli(["status", "--json"], { node: answeringNode({ "mesh:status": [full] }) });
    expect(objects).toEqual([
      { ...full, nodes: full.nodes.slice(1), links: full.links.slice(0, 1), edges: full.edges.slice(0, 1), work: full.work.slice(0, 1) },
    ]);
  });

  it("prints a section for each thing that there is, in columns", async () => {
    const { stdout, exit } = await cli(["status"], { node: answeringNode({ "mesh:status": [full] }) });
    expect(exit).toBe(0);
    expect(lines(stdout)).toEqual([
      "hub  version 0.1.0, up 1m5s, listening on tcp://127.0.0.1:8888",
      "warning: a link\\x1b[31m flaps",
      "NODE    ROUTE      HOPS  COST  GROUPS  PLUGINS     WORK",
      "worker  via relay     2     2  web     echo@0.1.0  1 (+2 queued)",
      "gone    no route      -     -  -       -           0",
      "LINK   DIRECTION  ADDRESS            COST       RTT  SINCE  SECURE",
      "relay  out        tcp://127.0.0.1:1     1  0.400 ms  1m5s   yes",
      "PARKED FOR  MESSAGES     SIZE",
      "gone               2  2.0 KiB",
      "WORK  DIRECTIVE  PEER      STATE    RESPONSES  SINCE",
      "w-1   sleep:run  from ctl  running          3  12s",
    ]);
  });

  it("says of each plugin where it runs, and whether the node's data folder is hidden from it", async () => {
    const facts = { version: "1.0.0", actions: ["run"] };
    const plugins = [
      { ...facts, name: "shell", isolated: true, hidden: true, pid: 71, restarts: 2 },
      { ...facts, name: "http", isolated: true, hidden: false, pid: null, restarts: 0 },
      { ...facts, name: "echo", isolated: false },
    ];
    const { stdout } = await cli(["status"], { node: answeringNode({ "mesh:status": [{ ...STATUS, plugins }] }) });
    expect(lines(stdout).slice(1, 5)).toEqual([
      "PLUGIN  VERSION  PROCESS                  DATA    RESTARTS",
      "shell   1.0.0    its own, 71              hidden         2",
      "http    1.0.0    its own, starting again  open           0",
      "echo    1.0.0    the node's               open           -",
    ]);
  });

  it("with --watch prints again every second until it is interrupted", async () => {
    const controller = new AbortController();
    const slept: number[] = [];
    const sleep = (milliseconds: number): void => {
      if (slept.push(milliseconds) === 3) controller.abort({ exit: 130 });
    };
    const { exit, objects } = await cli(["status", "--watch", "--json"], {
      node: answeringNode({ "mesh:status": [STATUS] }),
      signal: controller.signal,
      sleep,
    });
    expect(exit).toBe(0);
    expect(objects).toHaveLength(3);
    expect(slept).toEqual([1_000, 1_000, 1_000]);
  });

  it("clears a terminal before it draws again, and nothing else", async () => {
    const controller = new AbortController();
    const setup = {
      node: answeringNode({ "mesh:status": [STATUS] }),
      signal: controller.signal,
      sleep: () => controller.abort({ exit: 130 }),
    };
    expect((await cli(["status", "--watch"], { ...setup, terminal: true })).stdout).toContain("\u001b[2J");
    expect((await cli(["status"], { node: setup.node, terminal: true })).stdout).not.toContain("\u001b");
  });

  it("does not trust what is no status", async () => {
    const ran = await cli(["status", "--json"], { node: answeringNode({ "mesh:status": [{ node: "hub", nodes: 5 }] }) });
    expect(ran).toMatchObject({ exit: 1, objects: [{ error: { code: "PROTOCOL_ERROR" } }] });
  });
});
