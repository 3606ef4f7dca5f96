import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { type Logger, SILENT } from "../core/log.ts";
import type { PluginFacts } from "../work/types.ts";
import { actionOf } from "./check.ts";
import { WorkContext } from "./context.ts";
import type { Outcome, StartRequest } from "./contract.ts";
import type { ActionFunction, Context, PluginDefinition } from "./definition.ts";
import { failureOf } from "./failure.ts";
import { WorkInput } from "./input.ts";
import { isMany, sendAll } from "./runner.ts";

/** A plugin that is ready to run: what it exports, and its checked options. */
export interface ReadyPlugin {
  readonly definition: PluginDefinition;
  readonly options: unknown;
  readonly facts: PluginFacts;
}

export interface HostOptions<R extends StartRequest> {
  readonly node: NodeId;
  /** Where plugins log; each line carries the plugin and the work. Default: nowhere. */
  readonly log?: Logger;
  /** The plugin's code has ended. Once for each start, never before `start()` has returned. */
  onEnded(request: R, outcome: Outcome): void;
}

/** How many works run on one plugin, and who waits until none does. */
interface Use {
  works: number;
  waiting: (() => void)[];
}

const DONE: Outcome = {};

/** Runs works in this process. A work that began keeps the version of the plugin that it began with. */
export class PluginHost<R extends StartRequest = StartRequest> {
  readonly #options: HostOptions<R>;
  readonly #uses = new WeakMap<PluginDefinition, Use>();
  #plugins: ReadonlyMap<string, { readonly plugin: ReadyPlugin; readonly use: Use }> = new Map();

  constructor(options: HostOptions<R>) {
    this.#options = options;
  }

  /** From now on works run with these. */
  setPlugins(plugins: ReadonlyMap<string, ReadyPlugin>): void {
    this.#plugins = new Map([...plugins].map(([name, plugin]) => [name, { plugin, use: this.#useOf(plugin.definition) }]));
  }

  start(request: R): void {
    const entry = this.#plugins.get(request.plugin);
    const action = entry === undefined ? undefined : actionOf(entry.plugin.definition, request.action);
    if (entry === undefined || action === undefined) {
      const error = new MeshError("UNKNOWN_ACTION", `${request.plugin}:${request.action} was removed before the work began`);
      queueMicrotask(() => this.#options.onEnded(request, { error }));
      return;
    }
    entry.use.works++;
    void this.#run(request, entry.plugin, entry.use, action.run);
  }

  /** Resolves when no work runs on this plugin. */
  drained(definition: PluginDefinition): Promise<void> {
    const use = this.#useOf(definition);
    if (use.works === 0) return Promise.resolve();
    return new Promise((resolve) => use.waiting.push(resolve));
  }

  /** Never rejects. One function for all of it: most works are small, and each `async` one costs more than what it does for them. */
  async #run(request: R, plugin: ReadyPlugin, use: Use, action: ActionFunction<unknown>): Promise<void> {
    const { abort } = request;
    const input = new WorkInput(request.input, abort);
    let outcome: Outcome = DONE;
    try {
      try {
        let produced: unknown = action(input, this.#context(request, plugin));
        if (!isMany(produced)) produced = await produced;
        abort.throwIfAborted();
        const sending = sendAll(produced, abort, request.sink);
        if (sending !== undefined) await sending;
      } finally {
        const closing = input.close();
        if (closing !== undefined) await closing;
      }
    } catch (thrown) {
      // What an action throws because it was told to stop says less than why it was.
      outcome = failureOf(abort.reason ?? thrown);
    }
    abort.close();
    if (--use.works === 0) for (const resolve of use.waiting.splice(0)) resolve();
    this.#options.onEnded(request, outcome);
  }

  #context(request: R, plugin: ReadyPlugin): Context {
    const { node, log = SILENT } = this.#options;
    return new WorkContext(request, node, plugin.options, log);
  }

  #useOf(definition: PluginDefinition): Use {
    let use = this.#uses.get(definition);
    if (use === undefined) {
      use = { works: 0, waiting: [] };
      this.#uses.set(definition, use);
    }
    return use;
  }
}
