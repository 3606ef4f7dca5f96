import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type ErrorCode, isMeshError, type MeshError, type MeshNode, type NodeOptions, type Response, type Work } from "receptor-mesh";
import { createNode } from "../../../src/node/create.ts";
import { until, within } from "../../support/mesh.ts";

const PROGRAM = fileURLToPath(new URL("./program.ts", import.meta.url));

/** What the echo plugin does; that one would have to be built first. */
const ECHO = `{
  name: "echo",
  actions: {
    run: { idempotent: true, async *run(input) { yield await input.text(); } },
    async *count(input, context) {
      const { count, interval = 0 } = await input.json();
      for (let n = 1; n <= count; n++) {
        if (interval > 0 && n > 1) await new Promise((resolve) => setTimeout(resolve, interval));
        context.signal.throwIfAborted();
        yield n;
      }
    },
    async *sink(input) {
      const hash = createHash("sha256");
      let bytes = 0;
      for await (const chunk of input.stream()) { hash.update(chunk); bytes += chunk.length; }
      yield { bytes, sha256: hash.digest("hex") };
    },
  },
}`;

/** How long anything may take that takes milliseconds, on a machine that is busy with other tests. */
export const SOON = 15_000;

/** Nodes with real TCP on loopback in this process, programs in processes of their own, and plugins in a temporary folder. */
export class LocalMesh {
  readonly folder = mkdtempSync(join(tmpdir(), "receptor-it-"));
  readonly #nodes: MeshNode[] = [];
  readonly #programs: Program[] = [];

  /** Only what is named is loaded: what is installed in this repository is not. */
  async node(id: string, options: NodeOptions = {}): Promise<MeshNode> {
    const node = await createNode({ id, listen: ["tcp://127.0.0.1:0"], plugins: {}, ...options });
    this.#nodes.push(node);
    return node;
  }

  /** A worker with `plugins`, a relay, and a controller that knows only the relay. */
  async line(
    plugins: readonly string[],
    worker: NodeOptions = {},
  ): Promise<{ readonly controller: MeshNode; readonly relay: MeshNode; readonly worker: MeshNode }> {
    const relay = await this.node("relay");
    const peers = [...relay.listening];
    const end = await this.node("worker", { listen: [], peers, extraPlugins: plugins, ...worker });
    const controller = await this.node("controller", { listen: [], peers });
    await controller.reachable("worker", { timeout: SOON });
    await end.reachable("controller", { timeout: SOON });
    return { controller, relay, worker: end };
  }

  /** Two nodes that are linked. */
  async pair(plugins: readonly string[], worker: NodeOptions = {}): Promise<{ readonly controller: MeshNode; readonly worker: MeshNode }> {
    const end = await this.node("worker", { extraPlugins: plugins, ...worker });
    const controller = await this.node("controller", { listen: [], peers: [...end.listening] });
    await controller.reachable("worker", { timeout: SOON });
    await end.reachable("controller", { timeout: SOON });
    return { controller, worker: end };
  }

  /** Writes a plugin package whose default export is `definition`, JavaScript text; its folder. */
  plugin(name: string, definition: string): string {
    const folder = join(this.folder, "plugin", name);
    mkdirSync(folder, { recursive: true });
    const manifest = {
      name: `test-plugin-${name}`,
      version: "1.0.0",
      type: "module",
      keywords: ["receptor-plugin"],
      receptor: { plugin: "./index.js", api: "^1" },
    };
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    writeFileSync(
      join(folder, "index.js"),
      `import { Readable } from "node:stream";\nimport { appendFileSync, existsSync, readFileSync } from "node:fs";\nimport { createHash } from "node:crypto";\nexport default ${definition};\n`,
    );
    return folder;
  }

  /** `echo:run`, `echo:count` and `echo:sink`. */
  get echo(): string {
    return this.plugin("echo", ECHO);
  }

  /** Starts a program (program.ts) in a process of its own. */
  program(what: string, facts: object): Program {
    const program = new Program(what, facts);
    this.#programs.push(program);
    return program;
  }

  async close(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    await Promise.all(this.#nodes.map((node) => node.close()));
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A child process that says what happens to it as one JSON object a line. */
export class Program {
  readonly lines: Record<string, unknown>[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #complaint = "";

  constructor(what: string, facts: object) {
    const child = spawn(process.execPath, ["--import", "tsx", PROGRAM, what, JSON.stringify(facts)], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.#closed = once(child, "close");
    child.stderr.on("data", (chunk: Buffer) => (this.#complaint += chunk.toString()));
    createInterface({ input: child.stdout }).on("line", (line) => this.lines.push(JSON.parse(line) as Record<string, unknown>));
  }

  /** The first line of this type; rejects, with what the program complained of, where it does not come. */
  async line(type: string): Promise<Record<string, unknown>> {
    const look = (): Record<string, unknown> | undefined => this.lines.find((line) => line["type"] === type);
    try {
      return (await until(look, SOON, `the program says "${type}"`)).value;
    } catch (error) {
      throw new Error(`${String(error)}; it said ${JSON.stringify(this.lines)} ${this.#complaint}`, { cause: error });
    }
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  async ended(): Promise<void> {
    await within(this.#closed, SOON, "the program ends");
  }
}

/** All responses of a work, as text. Rejects as the work does. */
export async function texts(work: AsyncIterable<Response>): Promise<string[]> {
  const all: string[] = [];
  for await (const response of work) all.push(response.text());
  return all;
}

/** What `promise` rejects with, which is a MeshError of `code`. */
export async function failure(promise: Promise<unknown>, code: ErrorCode): Promise<MeshError> {
  const error = await within(
    promise.then(
      (value) => new Error(`it should have failed with ${code}, and gave ${String(value)}`),
      (thrown: unknown) => thrown,
    ),
    SOON * 2,
    `it fails with ${code}`,
  );
  if (!isMeshError(error, code))
    throw new Error(`it should have failed with ${code}, not ${String(error)} ${JSON.stringify(error)}`, { cause: error });
  return error;
}

/** Resolves once a work is in one of the states. */
export async function inState(work: Work, ...states: readonly string[]): Promise<void> {
  if (states.includes(work.state)) return;
  for await (const event of work.events()) if (states.includes(work.state) || states.includes(event.type)) return;
}

/** The node answers, and nothing of what it ran or sent is left. */
export async function isWell(controller: MeshNode, worker: MeshNode): Promise<void> {
  await controller.ping(worker.id, { timeout: SOON });
  await until(() => (controller.status().work.length + worker.status().work.length === 0 ? true : undefined), SOON, "no work is left");
  const { work } = await controller.ping(worker.id, { timeout: SOON });
  if (work.running + work.queued > 0) throw new Error(`${work.running} works run and ${work.queued} wait on a node that should be idle`);
}

/** Watches how far this process's resident memory grows, in bytes. */
export function watchMemory(): { stop(): number } {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 20);
  return {
    stop: () => {
      clearInterval(timer);
      return Math.max(most, process.memoryUsage.rss()) - before;
    },
  };
}
