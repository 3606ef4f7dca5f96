import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readRuns } from "../chaos/kill/ledger.ts";
import { COMMAND, until } from "../support/mesh.ts";
import { Namespaces, whyNoNamespaces } from "../support/netns.ts";

const why = whyNoNamespaces();
const PLUGIN = fileURLToPath(new URL("../chaos/kill/plugin", import.meta.url));
const CONTROLLER = fileURLToPath(new URL("../support/netns-controller.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The controller is host 0 and the hub host 1; each relay links to both, and no two relays have the same trouble. */
const HUB = 1;
const RELAYS = { drop: 2, deaf: 3, apart: 4, down: 5, killed: 6, narrow: 7 } as const;
const NAMES = ["controller", "hub", ...Object.keys(RELAYS)];
const SILENT = 20_000;
/** Who hears nothing still says something: its last ping may come 4.5 s after the fault, and only then does its silence begin. */
const DEAF = 20_000;
const RESET = 2_000;
/** The longest wait between two dials is 15 s, and the one that is under way at the heal may take 10 s to fail. */
const BACK = 35_000;
interface Said {
  readonly at: number;
  readonly type: string;
  readonly node?: string;
  readonly peer?: string;
  readonly via?: string;
  readonly outcome?: string;
  readonly number?: string;
}

let net: Namespaces;
let folder: string;
const children = new Map<number, ChildProcess>();
const said: Said[] = [];

function start(host: number, args: readonly string[]): ChildProcess {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("RECEPTOR_")));
  const [command, all] = net.on(host, process.execPath, ...args);
  const env = { ...clean, CHAOS_RUNS: join(folder, `runs-${NAMES[host]}`) };
  const child = spawn(command, all, { cwd: ROOT, env, stdio: ["pipe", "pipe", "inherit"] });
  children.set(host, child);
  return child;
}

function startNode(host: number): void {
  const name = NAMES[host] ?? "";
  const peers = host === HUB ? [0] : [0, HUB];
  const more = ["--listen", `tcp://${net.address(host)}:8888`, "--insecure", "--log-level", "error", "--plugin", PLUGIN];
  const dial = peers.flatMap((peer) => ["--peer", `tcp://${net.address(peer)}:8888`]);
  start(host, [COMMAND, "node", "--id", name, "--data-dir", join(folder, name), ...more, ...dial]);
}

async function kill(host: number): Promise<void> {
  const child = children.get(host);
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** Milliseconds from `since` until the controller said it. */
async function heard(type: string, of: string, since: number, limit: number): Promise<number> {
  const find = (): Said | undefined => said.find((one) => one.at >= since && one.type === type && (one.peer ?? one.node) === of);
  return (await until(find, since + limit - Date.now(), `the controller says ${type} of ${of}`)).value.at - since;
}

describe.skipIf(why !== undefined)(`eight hosts on a bridge${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "receptor-netns-"));
    net = new Namespaces(8);
    const controller = start(0, ["--import", "tsx", CONTROLLER, join(folder, "controller"), net.address(0), ...NAMES.slice(1)]);
    createInterface({ input: controller.stdout ?? process.stdin }).on("line", (line) => said.push(JSON.parse(line) as Said));
    for (let host = HUB; host < NAMES.length; host++) startNode(host);
    await until(
      () => (new Set(said.filter(({ type }) => type === "link-up").map(({ peer }) => peer)).size === 7 ? true : undefined),
      30_000,
      "all are linked",
    );
    await until(
      () => NAMES.slice(1).every((name) => readRuns(join(folder, `runs-${name}`)).length > 0) || undefined,
      20_000,
      "each has run something",
    );
  });

  afterAll(async () => {
    await Promise.all([...children.keys()].map(kill));
    net.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });

  test("silence is noticed within 20 s and a reset within 2 s, traffic goes round, all come back, and nothing is lost or run twice", async () => {
    const began = Date.now();
    net.fault(RELAYS.drop, { type: "drop" });
    net.fault(RELAYS.deaf, { type: "deaf" });
    net.fault(RELAYS.apart, { type: "apart", from: 0 });
    net.fault(RELAYS.down, { type: "link-down" });
    net.fault(RELAYS.narrow, { type: "small-mtu", bytes: 600 });
    const killedAt = Date.now();
    await kill(RELAYS.killed);
    await heard("link-down", "killed", killedAt, RESET);
    const restarted = Date.now();
    startNode(RELAYS.killed);
    const silent = ["drop", "deaf", "apart", "down"] as const;
    for (const name of silent) await heard("link-down", name, began, name === "deaf" ? DEAF : SILENT);
    // Cut off from the controller alone, it is reached through the hub, and never leaves the mesh.
    const round = await until(
      () =>
        said.find(
          (one) => one.at >= began && one.type === "ended" && one.node === "apart" && one.via === "hub" && one.outcome === "succeeded",
        ),
      SILENT,
      "a message went round",
    );
    expect(round.value.at - began).toBeLessThan(SILENT + 2_000);
    expect(said.some((one) => one.at >= began && one.type === "node-down" && one.node === "apart")).toBe(false);
    for (const name of ["drop", "deaf", "down"]) await heard("node-down", name, began, DEAF);
    await heard("link-up", "killed", restarted, BACK);
    net.fault(RELAYS.killed, { type: "slow", kilobits: 256 });

    const healed = Date.now();
    net.mend(RELAYS.drop, "drop");
    net.mend(RELAYS.deaf, "deaf");
    net.mend(RELAYS.apart, "apart");
    net.mend(RELAYS.down, "link-down");
    for (const name of silent) await heard("link-up", name, healed, BACK);
    // Where little passes, or only what is small, work passes all the same.
    for (const name of ["killed", "narrow"]) {
      const late = (one: Said): boolean => one.at >= healed && one.type === "ended" && one.node === name && one.outcome === "succeeded";
      await until(() => said.find(late), BACK, `${name} answers`);
    }
    expect(said.some((one) => one.at >= healed && one.type === "link-down" && one.peer === "killed")).toBe(false);

    children.get(0)?.stdin?.write("stop\n");
    await until(() => said.find(({ type }) => type === "settled"), BACK, "every message has an end");
    const sent = said.filter(({ type }) => type === "sent").length;
    const ended = said.filter(({ type }) => type === "ended");
    expect(sent).toBeGreaterThan(500);
    expect(ended).toHaveLength(sent);
    for (const name of NAMES.slice(1)) {
      const mine = ended.filter(({ node }) => node === name);
      const numbers = readRuns(join(folder, `runs-${name}`)).map(({ number }) => number);
      expect(new Set(numbers).size, `${name} runs nothing twice`).toBe(numbers.length);
      const bad = mine.filter(({ outcome }) => outcome !== "succeeded" && !(name === "killed" && outcome === "WORK_INTERRUPTED"));
      expect(bad, name).toEqual([]);
      const ran = new Set(numbers);
      expect(mine.filter(({ outcome, number }) => outcome === "succeeded" && !ran.has(number ?? ""))).toEqual([]);
    }
  }, 100_000);
});
