import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "./process.mjs";

const COMMAND = join(root, "dist/cli/main.js");
const START = 20_000;
const STOP = 5_000;

/** What the environment would say to a node stays out of the demonstration. */
function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("RECEPTOR_")));
}

/** Real node processes on loopback, with their data in a temporary folder. */
export class DemoMesh {
  folder = mkdtempSync(join(tmpdir(), "receptor-demo-"));
  /** @type {Map<string, { child: import("node:child_process").ChildProcess, log: string, ready?: any }>} */
  #nodes = new Map();
  /** @type {Set<import("node:child_process").ChildProcess>} */
  #commands = new Set();

  /**
   * Starts a node and resolves to its ready line when it has logged that.
   * @param {string} id
   * @param {readonly string[]} args
   * @returns {Promise<{ node: string, listening: string[], pid: number }>}
   */
  async start(id, args) {
    const log = join(this.folder, `${id}.log`);
    rmSync(log, { force: true });
    const output = openSync(log, "a");
    // A process group of its own: Ctrl-C is answered here, in order. The log is a file, so that a mesh may outlive this process.
    const child = spawn(
      process.execPath,
      [COMMAND, "node", "--id", id, "--data-dir", join(this.folder, id), "--log-format", "json", ...args],
      {
        cwd: this.folder,
        env: cleanEnvironment(),
        detached: true,
        stdio: ["ignore", output, output],
      },
    );
    closeSync(output);
    const node = { child, log };
    this.#nodes.set(id, node);
    node.ready = await readyLine(child, log, id);
    return node.ready;
  }

  pid(id) {
    return this.#nodes.get(id)?.child.pid;
  }

  get pids() {
    return [...this.#nodes.values()].map(({ child }) => child.pid);
  }

  /** Ends a node as a power cut would. */
  async kill(id) {
    const { child } = this.#nodes.get(id);
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    this.#nodes.delete(id);
  }

  /**
   * Runs `receptor ARGS --json` and yields each object that it prints.
   * Throws where it exits with something else than 0.
   * @param {readonly string[]} args
   * @param {number} timeout milliseconds
   */
  async *receptor(args, timeout) {
    const child = spawn(process.execPath, [COMMAND, ...args, "--json"], {
      cwd: this.folder,
      env: { ...cleanEnvironment(), TMPDIR: this.folder },
      stdio: ["ignore", "pipe", "pipe"],
      signal: AbortSignal.timeout(timeout),
      killSignal: "SIGKILL",
    });
    this.#commands.add(child);
    let complaint = "";
    child.stderr.on("data", (chunk) => (complaint = `${complaint}${chunk}`.slice(-2_000)));
    const ended = new Promise((done, fail) => child.on("error", fail).on("close", (code) => done(code)));
    // Looked at below; a failure before that is no unhandled one.
    ended.catch(() => undefined);
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        if (line.trim() !== "") yield parse(line);
      }
      const code = await ended.catch((error) =>
        Promise.reject(
          new Error(`receptor ${args.join(" ")}: ${error.name === "AbortError" ? `no end within ${timeout / 1000} s` : error.message}`),
        ),
      );
      if (code !== 0) throw new Error(`receptor ${args.join(" ")} ended with exit code ${code}: ${complaint.trim()}`);
    } finally {
      child.kill("SIGKILL");
      this.#commands.delete(child);
    }
  }

  /** The one object that a command prints. */
  async ask(args, timeout = 10_000) {
    let first;
    // To its end: a command that is cut short leaves its link and its temporary files to others.
    for await (const answer of this.receptor(args, timeout)) first ??= answer;
    if (first === undefined) throw new Error(`receptor ${args.join(" ")} printed nothing`);
    return first;
  }

  /** The last lines that each node logged. */
  logs(lines = 15) {
    return [...this.#nodes].map(([id, { log }]) => ({
      id,
      text: existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n").slice(-lines).join("\n") : "",
    }));
  }

  /** Lets the nodes run on without this process. */
  release() {
    for (const { child } of this.#nodes.values()) child.unref();
  }

  /** Ends everything and removes its data. Twice is harmless. */
  async close() {
    for (const child of this.#commands) child.kill("SIGKILL");
    await Promise.all([...this.#nodes.values()].toReversed().map(({ child }) => stop(child)));
    this.#nodes.clear();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), STOP);
  await exited;
  clearTimeout(killer);
}

/** Waits for the line with event `ready` in a node's log. */
function readyLine(child, log, id) {
  return new Promise((done, fail) => {
    const look = () => {
      const lines = readFileSync(log, "utf8").split("\n").slice(0, -1);
      const ready = lines.map(parse).find((line) => line?.event === "ready");
      if (ready !== undefined) finish(() => done(ready));
    };
    const watcher = watch(log, look);
    const timer = setTimeout(() => finish(() => fail(new Error(`node ${id} was not ready within ${START / 1000} s`))), START);
    const onExit = (code, signal) =>
      finish(() => fail(new Error(`node ${id} ended (${signal ?? `exit code ${code}`}) before it was ready`)));
    const onError = (error) => finish(() => fail(error));
    child.on("exit", onExit).on("error", onError);
    function finish(settle) {
      watcher.close();
      clearTimeout(timer);
      child.off("exit", onExit).off("error", onError);
      settle();
    }
    look();
  });
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
