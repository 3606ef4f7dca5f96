import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Status } from "../../src/node/api.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The built command. */
export const COMMAND = join(ROOT, "dist/cli/main.js");
const START = 20_000;

export interface Ready {
  readonly node: string;
  readonly listening: readonly string[];
  readonly pid: number;
}

export interface StartOptions {
  /** It makes its own id. */
  readonly unnamed?: boolean;
  /** Added to what the tests have. */
  readonly env?: NodeJS.ProcessEnv;
  /** How many files it may open. */
  readonly descriptors?: number;
  /** Milliseconds to its ready line; default 20 s. */
  readonly limit?: number;
  /** The process is gone; `complaint`: what it said last on stderr. */
  readonly onExit?: (status: number | NodeJS.Signals | null, complaint: string) => void;
}

/** How one command ended. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Of `--json`: one object a line. */
  readonly objects: readonly Record<string, unknown>[];
  readonly milliseconds: number;
}

interface Running {
  readonly child: ChildProcess;
  readonly args: readonly string[];
  readonly lines: string[];
  ready: Ready | undefined;
}

export function pluginFolder(name: string): string {
  return join(ROOT, "plugins", name);
}

/** A port that was free a moment ago, for nodes that must come back at the same address. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Real node processes on loopback, run through the command as a user would, with their data in a temporary folder. */
export class ProcessMesh {
  readonly folder = mkdtempSync(join(tmpdir(), "receptor-e2e-"));
  readonly #nodes = new Map<string, Running>();
  readonly #followers = new Set<ChildProcess>();

  dataDir(id: string): string {
    return join(this.folder, id);
  }

  /** Writes a file beside the data folders; its path. */
  file(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** Starts `receptor node` and resolves at its ready line; rejects with what it said instead. */
  async start(id: string, args: readonly string[] = [], options: StartOptions = {}): Promise<Ready> {
    const all = [
      "node",
      ...(options.unnamed === true ? [] : ["--id", id]),
      "--data-dir",
      this.dataDir(id),
      "--log-format",
      "json",
      ...args,
    ];
    const few = options.descriptors === undefined ? [] : ["/bin/sh", "-c", `ulimit -n ${options.descriptors}; exec "$@"`, "sh"];
    const [command = "", ...words] = [...few, process.execPath, COMMAND, ...all];
    const child = spawn(command, words, { cwd: this.folder, env: { ...environment(), ...options.env }, stdio: ["ignore", "pipe", "pipe"] });
    const running: Running = { child, args, lines: [], ready: undefined };
    this.#nodes.set(id, running);
    let complaint = "";
    child.stderr.on("data", (chunk: Buffer) => (complaint = `${complaint}${chunk.toString()}`.slice(-4_000)));
    const ready = new Promise<Ready>((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        running.lines.push(line);
        const parsed = parse(line);
        if (parsed?.["event"] === "ready") resolve(parsed as unknown as Ready);
      });
      child.once("exit", (code, signal) => {
        reject(new Error(`${id} ended with ${code ?? signal} before it was ready: ${complaint}`));
        options.onExit?.(code ?? signal, complaint);
      });
    });
    running.ready = await within(ready, options.limit ?? START, `${id} is ready`);
    return running.ready;
  }

  /** Starts a node again as it was started before, on the address that it had. */
  async restart(id: string): Promise<Ready> {
    const before = this.#running(id);
    const listening = before.ready?.listening ?? [];
    const args = withoutListen(before.args);
    return await this.start(id, [...args, ...(listening.length === 0 ? ["--no-listen"] : listening.flatMap((url) => ["--listen", url]))]);
  }

  log(id: string): readonly Record<string, unknown>[] {
    return this.#running(id)
      .lines.map(parse)
      .filter((line) => line !== undefined);
  }

  pid(id: string): number {
    const { pid } = this.#running(id).child;
    if (pid === undefined) throw new Error(`${id} does not run`);
    return pid;
  }

  /** Resolves when the process is gone. */
  async signal(id: string, signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this.#running(id);
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, "exit");
    child.kill(signal);
    const [code] = await within(exited, 15_000, `${id} ends at ${signal}`);
    return code as number | null;
  }

  async kill(id: string): Promise<void> {
    await this.signal(id, "SIGKILL");
  }

  /** SIGSTOP, SIGCONT, SIGHUP: the process lives on. */
  nudge(id: string, signal: NodeJS.Signals): void {
    this.#running(id).child.kill(signal);
  }

  /** Runs `receptor ARGS` to its end. */
  async run(
    args: readonly string[],
    options: { readonly input?: string | Buffer; readonly timeout?: number; readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
  ): Promise<Ran> {
    const started = performance.now();
    const child = spawn(process.execPath, [COMMAND, ...args], {
      cwd: options.cwd ?? this.folder,
      env: { ...environment(), ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
    const killer = setTimeout(() => child.kill("SIGKILL"), options.timeout ?? 60_000);
    const [code] = await once(child, "close");
    clearTimeout(killer);
    const stdout = Buffer.concat(out).toString();
    return {
      code: code as number | null,
      stdout,
      stderr: Buffer.concat(err).toString(),
      objects: stdout
        .split("\n")
        .map(parse)
        .filter((line) => line !== undefined),
      milliseconds: performance.now() - started,
    };
  }

  /** Starts `receptor ARGS --json` and hands over each object as it comes. */
  follow(args: readonly string[]): {
    readonly objects: AsyncIterable<Record<string, unknown>>;
    readonly child: ChildProcess;
    readonly ended: Promise<number | null>;
  } {
    const child = spawn(process.execPath, [COMMAND, ...args, "--json"], {
      cwd: this.folder,
      env: environment(),
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#followers.add(child);
    const ended = once(child, "close").then(([code]) => code as number | null);
    const lines = createInterface({ input: child.stdout });
    return { objects: objectsOf(lines), child, ended };
  }

  async status(url: string): Promise<Status> {
    const ran = await this.run(["status", "--json", "--peer", url]);
    const status = ran.objects[0];
    if (ran.code !== 0 || status === undefined) throw new Error(`status of ${url}: exit ${ran.code}: ${ran.stderr}${ran.stdout}`);
    return status as unknown as Status;
  }

  /** Ends everything and removes its data. */
  async close(): Promise<void> {
    for (const child of this.#followers) child.kill("SIGKILL");
    for (const { child } of this.#nodes.values()) {
      child.kill("SIGCONT");
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, "exit");
        child.kill("SIGKILL");
        await exited;
      }
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  #running(id: string): Running {
    const running = this.#nodes.get(id);
    if (running === undefined) throw new Error(`${id} was never started`);
    return running;
  }
}

async function* objectsOf(lines: AsyncIterable<string>): AsyncGenerator<Record<string, unknown>> {
  for await (const line of lines) {
    const parsed = parse(line);
    if (parsed !== undefined) yield parsed;
  }
}

/** Rejects where `promise` takes longer than `limit` milliseconds. */
export async function within<T>(promise: Promise<T>, limit: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limit} ms: ${what}`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again until `look` gives something; rejects after `limit` milliseconds. Resolves to how long it took, too. */
export async function until<T>(
  look: () => Promise<T | undefined> | T | undefined,
  limit: number,
  what: string,
): Promise<{ readonly value: T; readonly milliseconds: number }> {
  const started = performance.now();
  for (;;) {
    const value = await look();
    const milliseconds = performance.now() - started;
    if (value !== undefined) return { value, milliseconds };
    if (milliseconds > limit) throw new Error(`not within ${limit} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("RECEPTOR_")));
}

function withoutListen(args: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--listen" || args[i] === "-l") i++;
    else if (args[i] !== "--no-listen") kept.push(args[i] ?? "");
  }
  return kept;
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
