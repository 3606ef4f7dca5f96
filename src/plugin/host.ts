import { ChurnMap } from "../core/churn-map.ts";
import { MeshError } from "../core/errors.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import { type Logger, SILENT } from "../core/log.ts";
import type { PluginFacts } from "../work/types.ts";
import { actionOf } from "./check.ts";
import { WorkAbort } from "./abort.ts";
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

export interface HostOptions {
  readonly node: NodeId;
  /** Where plugins log; each line carries the plugin and the work. Default: nowhere. */
  readonly log?: Logger;
  /** The plugin's code has ended. Once for each start, never before `start()` has returned. */
  onEnded(id: MessageId, outcome: Outcome): void;
}

interface Run {
  readonly definition: PluginDefinition;
  readonly abort: WorkAbort;
}

const DONE: Outcome = {};

/** Runs works in this process. A work that began keeps the version of the plugin that it began with. */
export class PluginHost {
  readonly #options: HostOptions;
  readonly #runs = new ChurnMap<MessageId, Run>();
  readonly #waiting = new Map<PluginDefinition, (() => void)[]>();
  #plugins: ReadonlyMap<string, ReadyPlugin> = new Map();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** From now on works run with these. */
  setPlugins(plugins: ReadonlyMap<string, ReadyPlugin>): void {
    this.#plugins = plugins;
  }

  start(request: StartRequest): void {
    const plugin = this.#plugins.get(request.plugin);
    const action = plugin === undefined ? undefined : actionOf(plugin.definition, request.action);
    if (plugin === undefined || action === undefined) {
      const error = new MeshError("UNKNOWN_ACTION", `${request.plugin}:${request.action} was removed before the work began`);
      queueMicrotask(() => this.#options.onEnded(request.id, { error }));
      return;
    }
    const abort = new WorkAbort();
    this.#runs.set(request.id, { definition: plugin.definition, abort });
    void this.#run(request, plugin, action.run, abort);
  }

  /** Tells the plugin to stop; `error` is the signal's reason. */
  abort(id: MessageId, error: MeshError): void {
    this.#runs.get(id)?.abort.abort(error);
  }

  /** Resolves when no work runs on this plugin. */
  drained(definition: PluginDefinition): Promise<void> {
    if (!this.#isBusy(definition)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.set(definition, [...(this.#waiting.get(definition) ?? []), resolve]);
    });
  }

  /** Never rejects. One function for all of it: most works are small, and each `async` one costs more than what it does for them. */
  async #run(request: StartRequest, plugin: ReadyPlugin, action: ActionFunction<unknown>, abort: WorkAbort): Promise<void> {
    const input = new WorkInput(request.input, abort);
    let outcome: Outcome = DONE;
    try {
      try {
        let produced: unknown = action(input, this.#context(request, plugin, abort));
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
    this.#runs.delete(request.id);
    this.#release(plugin.definition);
    this.#options.onEnded(request.id, outcome);
  }

  #context(request: StartRequest, plugin: ReadyPlugin, abort: WorkAbort): Context {
    const { node, log = SILENT } = this.#options;
    return new WorkContext(request, { node, options: plugin.options, abort, log });
  }

  #isBusy(definition: PluginDefinition): boolean {
    for (const run of this.#runs.values()) if (run.definition === definition) return true;
    return false;
  }

  #release(definition: PluginDefinition): void {
    const waiting = this.#waiting.get(definition);
    if (waiting === undefined || this.#isBusy(definition)) return;
    this.#waiting.delete(definition);
    for (const resolve of waiting) resolve();
  }
}
