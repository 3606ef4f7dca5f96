import { fileURLToPath } from "node:url";
import { Backoff } from "../../core/backoff.ts";
import { MeshError, toMeshError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { WORK_TIMES } from "../../work/types.ts";
import type { ActionDefinition, ActionFunction, PluginDefinition } from "../definition.ts";
import { invalid } from "../package.ts";
import type { Isolation } from "./isolation.ts";
import { type Launch, planLaunch, type Secrets } from "./launch.ts";
import { readFacts } from "./messages.ts";
import { PluginProcess } from "./plugin-process.ts";
import { RemoteWork } from "./remote-work.ts";
import { actionOf } from "../check.ts";

export interface IsolatedOptions {
  /** URL of the module. */
  readonly url: string;
  readonly label: string;
  readonly node: string;
  readonly isolation: Isolation;
  /** What the process is to be kept from; undefined: nothing. */
  readonly secrets?: Secrets;
  readonly log: Log;
  /** Milliseconds that loading, start() and stop() may each take. */
  readonly limit: number;
  /** Milliseconds that a work has to stop in when it is told to; default 4,750. */
  readonly abortLimit?: number;
}

/** Just before the node would say that the work does not stop: a process can be made to. */
const ABORT_LIMIT = WORK_TIMES.abort - 250;
/** Waits between the end of a process and the start of the next. */
const RESTART = { initial: 200, factor: 2, maximum: 15_000 };
/** Milliseconds that a process must have lived for the waits to begin anew. */
const LIVED = 30_000;

/**
 * A plugin that runs in a process of its own. Its `definition` stands for it here: to run an action is to send the work there. A process
 * that ends takes its works with it, each with the reason; another is started in its place.
 */
export class IsolatedPlugin {
  readonly definition: PluginDefinition;
  readonly #options: IsolatedOptions;
  readonly #launch: Launch;
  readonly #backoff = new Backoff(RESTART, Math.random);
  #log: Log;
  #process: PluginProcess | undefined;
  /** The process that is ready, or is going to be. */
  #ready: Promise<PluginProcess>;
  #part: unknown;
  #restarts = 0;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;
  #begun = false;
  #closed = false;

  private constructor(options: IsolatedOptions, launch: Launch, first: PluginProcess, facts: PluginDefinition) {
    this.#options = options;
    this.#launch = launch;
    this.#log = options.log;
    this.#process = first;
    this.#ready = Promise.resolve(first);
    const actions = Object.keys(facts.actions).map((name) => [name, this.#action(actionOf(facts, name), options.isolation)] as const);
    this.definition = {
      ...facts,
      actions: Object.fromEntries(actions),
      start: (part) => this.#begin(part),
      stop: () => this.#stop(),
    };
  }

  /** Starts a process, and has it load the plugin. Rejects with PLUGIN_INVALID. */
  static async load(options: IsolatedOptions): Promise<IsolatedPlugin> {
    let told = (_error: MeshError, _expected: boolean): void => undefined;
    const launch = await planLaunch(options.isolation, options.secrets, fileURLToPath(options.url)).catch((error: unknown) => {
      throw asInvalid(error, options.label, "it cannot run apart");
    });
    const first = new PluginProcess({ ...options, launch, onGone: (error, expected) => told(error, expected) });
    try {
      const { url, label, node, limit } = options;
      const facts = readFacts(await first.load({ url, label, node, limit }), label);
      const plugin = new IsolatedPlugin(options, launch, first, facts);
      told = (error, expected) => plugin.#onGone(first, error, expected);
      return plugin;
    } catch (error) {
      await first.end();
      throw asInvalid(error, options.label, "loading it failed");
    }
  }

  /** The process that runs it now. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Whether the node's data folder is out of its reach. */
  get hidden(): boolean {
    return this.#launch.hidden;
  }

  /** How often its process was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Ends its process, without a word to the plugin. Again is harmless. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#process?.end();
  }

  #action(action: ActionDefinition<unknown> | undefined, { time }: Isolation): ActionDefinition<unknown> {
    const run: ActionFunction<unknown> = (input, context) => {
      const work = new RemoteWork(context, this.#options.abortLimit ?? ABORT_LIMIT);
      this.#ready
        .then(async (process) => {
          const way = process.open(work);
          if (way === undefined) return work.gone(new MeshError("WORK_FAILED", "the plugin's process has ended"));
          await work.begin(way, input);
        })
        .catch((error: unknown) => work.gone(toMeshError(error, "WORK_FAILED")));
      return { [Symbol.asyncIterator]: () => work };
    };
    if (time === undefined) return { ...action, run };
    return { ...action, run, deadline: Math.min(time, action?.deadline ?? time) };
  }

  async #begin(part: unknown): Promise<void> {
    this.#part = part;
    this.#begun = true;
    const process = await this.#ready;
    this.#since = performance.now();
    await this.#startIn(process);
  }

  async #startIn(process: PluginProcess): Promise<void> {
    await process.start(this.#part, this.#options.limit);
  }

  async #stop(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    try {
      if (this.#begun) await this.#process?.stop(this.#options.limit);
    } finally {
      await this.close();
    }
  }

  #onGone(process: PluginProcess, error: MeshError, expected: boolean): void {
    if (process !== this.#process) return;
    this.#process = undefined;
    if (expected || this.#closed) return;
    const { label } = this.#options;
    this.#log.warn({ plugin: this.definition.name, package: label, error: error.message }, "a plugin's process ended");
    if (!this.#begun) {
      this.#ready = Promise.reject(error);
      this.#ready.catch(() => undefined);
      return;
    }
    if (performance.now() - this.#since > LIVED) this.#backoff.reset();
    this.#ready = this.#again();
    // Works that wait for it hear of its failure; where none waits, the log does.
    this.#ready.catch(() => undefined);
  }

  /** Another process, after a wait. */
  async #again(): Promise<PluginProcess> {
    await new Promise<void>((resolve) => {
      this.#timer = setTimeout(resolve, this.#backoff.next());
    });
    if (this.#closed) throw new MeshError("CLOSED", "the plugin was stopped");
    const { url, label, node, limit } = this.#options;
    const process: PluginProcess = new PluginProcess({
      ...this.#options,
      launch: this.#launch,
      onGone: (error, expected) => this.#onGone(process, error, expected),
    });
    this.#process = process;
    this.#restarts++;
    this.#since = performance.now();
    try {
      readFacts(await process.load({ url, label, node, limit }), label);
      await this.#startIn(process);
    } catch (error) {
      process.kill(`it could not be started again: ${toMeshError(error).message}`);
      throw error;
    }
    this.#log.info({ plugin: this.definition.name, pid: process.pid, restarts: this.#restarts }, "a plugin's process was started again");
    return process;
  }
}

function asInvalid(error: unknown, label: string, what: string): MeshError {
  const known = toMeshError(error);
  return known.code === "PLUGIN_INVALID" ? known : invalid(label, `${what}: ${known.message}`, error);
}
