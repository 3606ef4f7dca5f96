import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Random } from "../../src/core/instant.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { ProcessMesh } from "../support/mesh.ts";
import type { Run } from "./account.ts";
import { type Edge, randomGraph } from "./graph.ts";

const LEDGER = fileURLToPath(new URL("ledger", import.meta.url));
const PROBE = new URL("probe.mjs", import.meta.url).href;
/** The node that this process is: it is vertex 0 of the graph. */
export const CONTROLLER = "controller";
/** Processes that start at once: more would only wait for each other. */
const AT_ONCE = 4;
const START = 60_000;

export interface ClusterOptions {
  readonly nodes: number;
  /** Edges beyond those of a tree. */
  readonly more: number;
  readonly random: Random;
  /** Whether the nodes say how much they hold. */
  readonly probe?: boolean;
}

/** Whether a node's process runs, is stopped by SIGSTOP, is gone, or is on its way from one to another. */
export type NodeState = "up" | "stopped" | "down" | "moving";

/** Real nodes in a random graph, each edge through a proxy of its own. */
export class Cluster {
  readonly ids: readonly string[];
  readonly edges: readonly Edge[];
  readonly proxies: readonly FaultProxy[];
  /** Nodes that ended without being told to, and what they said. */
  readonly crashes: string[] = [];
  readonly #mesh: ProcessMesh;
  readonly #states = new Map<string, NodeState>();
  readonly #probe: boolean;

  private constructor(edges: readonly Edge[], proxies: readonly FaultProxy[], options: ClusterOptions) {
    this.ids = Array.from({ length: options.nodes }, (_, at) => `n${at + 1}`);
    this.edges = edges;
    this.proxies = proxies;
    this.#mesh = new ProcessMesh();
    this.#probe = options.probe ?? false;
    mkdirSync(join(this.#mesh.folder, "ledger"));
  }

  /** Resolves when every node is ready; they need not be linked yet. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const edges = randomGraph(options.random, options.nodes + 1, options.more);
    const proxies = await Promise.all(edges.map(() => FaultProxy.open()));
    const cluster = new Cluster(edges, proxies, options);
    const waiting = [...cluster.ids];
    const starter = async (): Promise<void> => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) await cluster.start(id);
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, starter));
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** Whom the controller dials. */
  get entrances(): readonly string[] {
    return this.#peers(0);
  }

  /** The proxies of a node's links, whoever dials. */
  lines(id: string): readonly FaultProxy[] {
    const vertex = this.#vertex(id);
    return this.proxies.filter((_, at) => this.edges[at]?.from === vertex || this.edges[at]?.to === vertex);
  }

  state(id: string): NodeState {
    return this.#states.get(id) ?? "down";
  }

  /** Of the controller: this process. */
  pid(id: string): number {
    return id === CONTROLLER ? process.pid : this.#mesh.pid(id);
  }

  /** The node comes on a port of its own choice each time; its proxies know which. */
  async start(id: string): Promise<void> {
    this.#states.set(id, "moving");
    const vertex = this.#vertex(id);
    const args = ["--listen", "tcp://127.0.0.1:0", "--config", this.#configure(id), "--plugin", LEDGER, "--log-level", "warn"];
    const peers = this.#peers(vertex).flatMap((url) => ["--peer", url]);
    const env = this.#probe ? { NODE_OPTIONS: `--import ${PROBE}`, CHAOS_PROBE: this.#probeFile(id) } : {};
    const { listening } = await this.#mesh.start(id, [...args, ...peers], {
      env,
      limit: START,
      onExit: (status, complaint) => {
        if (this.state(id) === "up" || this.state(id) === "stopped")
          this.crashes.push(`${id} ended by itself with ${status}: ${complaint}`);
      },
    });
    const port = Number(new URL(listening[0] ?? "").port);
    for (const proxy of this.#towards(vertex)) proxy.target = port;
    this.#states.set(id, "up");
  }

  async kill(id: string): Promise<void> {
    this.#states.set(id, "moving");
    await this.#mesh.kill(id);
    for (const proxy of this.#towards(this.#vertex(id))) proxy.target = undefined;
    this.#states.set(id, "down");
  }

  /** Loses the disk of a node that is down. */
  wipe(id: string): void {
    rmSync(this.#mesh.dataDir(id), { recursive: true, force: true, maxRetries: 3 });
  }

  stop(id: string): void {
    this.#states.set(id, "stopped");
    this.#mesh.nudge(id, "SIGSTOP");
  }

  proceed(id: string): void {
    this.#mesh.nudge(id, "SIGCONT");
    this.#states.set(id, "up");
  }

  /** What the nodes have run: the number of a message for each run, and for who wonders the work's id, the process and the time. */
  runs(): readonly Run[] {
    return this.ids.flatMap((id) =>
      read(this.#ledgerFile(id))
        .split("\n")
        .filter(Boolean)
        .map((line) => ({ number: Number.parseInt(line, 10), line: `${id}: ${line}` })),
    );
  }

  /** Makes this process say how much it holds, as the nodes do. */
  async probeController(): Promise<void> {
    process.env["CHAOS_PROBE"] = this.#probeFile(CONTROLLER);
    await import(PROBE);
  }

  /** What the node last said of itself; undefined before the first time. */
  probed(id: string): { readonly heap: number; readonly handles: number } | undefined {
    const text = read(this.#probeFile(id));
    return text === "" ? undefined : (JSON.parse(text) as { heap: number; handles: number });
  }

  /** Warnings and errors that the running process has logged. */
  log(id: string): readonly Record<string, unknown>[] {
    return this.#mesh.log(id);
  }

  async close(): Promise<void> {
    this.#states.clear();
    await this.#mesh.close();
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
  }

  #vertex(id: string): number {
    return this.ids.indexOf(id) + 1;
  }

  #peers(vertex: number): string[] {
    return this.proxies.filter((_, at) => this.edges[at]?.from === vertex).map(({ port }) => `tcp://127.0.0.1:${port}`);
  }

  #towards(vertex: number): FaultProxy[] {
    return this.proxies.filter((_, at) => this.edges[at]?.to === vertex);
  }

  #configure(id: string): string {
    const file = join(this.#mesh.folder, `${id}.yaml`);
    // What is kept of ended work would look like a leak until it is as much as may be kept.
    writeFileSync(file, `work: { retention: 2m }\nplugins:\n  ledger: { file: ${JSON.stringify(this.#ledgerFile(id))} }\n`);
    return file;
  }

  #ledgerFile(id: string): string {
    return join(this.#mesh.folder, "ledger", id);
  }

  #probeFile(id: string): string {
    return join(this.#mesh.folder, `${id}.probe`);
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
