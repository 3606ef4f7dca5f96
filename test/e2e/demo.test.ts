import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const command = join(root, "dist/cli/main.js");
let temporary = "";

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "receptor-demo-test-"));
});

afterEach(() => rmSync(temporary, { recursive: true, force: true }));

interface Demo {
  readonly child: ChildProcess;
  /** Resolves to the exit code. */
  readonly ended: Promise<number | null>;
  /** Resolves when the output holds `text`; rejects where it ends without. */
  until(text: string): Promise<void>;
  output(): string;
}

function demo(...args: string[]): Demo {
  const child = spawn(process.execPath, [join(root, "scripts/demo.mjs"), ...args], {
    cwd: temporary,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, "close").then(([code]: (number | null)[]) => code ?? null);
  const until = (text: string): Promise<void> =>
    new Promise((done, fail) => {
      const look = (): void => {
        if (output.includes(text)) done();
      };
      child.stdout.on("data", look);
      child.on("close", () => fail(new Error(`ended without "${text}":\n${output}`)));
      look();
    });
  return { child, ended, until, output: () => output };
}

/** Processes whose command line names the test's folder. */
function leftOver(): string {
  return spawnSync("pgrep", ["-f", temporary], { encoding: "utf8" }).stdout.trim();
}

describe("npm start", () => {
  it("shows work across the relay, a message that waits for it, and ends with nothing left behind", async () => {
    const run = demo();
    expect(await run.ended, run.output()).toBe(0);
    const story = [
      "relay       pid",
      "controller  pid",
      "worker      pid",
      "worker via relay, 2 hops",
      "accepted by worker",
      "response 1: hello from the controller",
      "succeeded",
      "response 1: 1",
      "response 5: 5",
      "no route to the worker",
      "parked at controller",
      "store holds 1 message,",
      "The relay returns",
      "response 1: sent while the relay was dead",
      "succeeded",
      "store holds 0 messages",
      "all nodes ended",
    ];
    let from = 0;
    for (const line of story) {
      const at = run.output().indexOf(line, from);
      expect(at, `"${line}" after ${from} in\n${run.output()}`).toBeGreaterThanOrEqual(from);
      from = at + line.length;
    }
    expect(run.output()).not.toContain("\u001b[");
    expect(leftOver()).toBe("");
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("leaves the mesh running with --keep, and says how to talk to it and how to end it", async () => {
    const run = demo("--keep");
    expect(await run.ended, run.output()).toBe(0);
    const pids = (/kill ([\d ]+)/.exec(run.output())?.[1] ?? "").trim().split(" ").map(Number);
    try {
      expect(pids).toHaveLength(3);
      const peer = /RECEPTOR_PEER=(\S+)/.exec(run.output())?.[1];
      const sent = spawnSync(process.execPath, [command, "send", "worker", "echo:run", "still here"], {
        encoding: "utf8",
        cwd: temporary,
        timeout: 20_000,
        env: { ...process.env, RECEPTOR_PEER: peer },
      });
      expect(sent.stdout).toContain("still here");
      expect(sent.status).toBe(0);
    } finally {
      for (const pid of pids) process.kill(pid, "SIGTERM");
    }
    await expect.poll(leftOver, { timeout: 10_000 }).toBe("");
  });

  it("cleans up when it is interrupted", async () => {
    const run = demo();
    await run.until("accepted by worker");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(130);
    expect(leftOver()).toBe("");
    expect(existsSync(temporary) ? readdirSync(temporary) : []).toEqual([]);
  });

  it("refuses an option that it does not have", async () => {
    const run = demo("--kep");
    expect(await run.ended).toBe(2);
    expect(run.output()).toContain('"--kep"');
  });
});
