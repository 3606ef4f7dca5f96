import type { MeshError } from "../core/errors.ts";
import { MeshError as Failure } from "../core/errors.ts";
import type { MessageId, NodeId } from "../core/ids.ts";
import { type Logger, SILENT } from "../core/log.ts";
import type { Outcome, StartRequest } from "./contract.ts";
import type { ActionDefinition, Context, PluginDefinition } from "./definition.ts";
import { WorkInput } from "./input.ts";
import { failureOf, onChannel, runAction } from "./runner.ts";

/** A plugin that is ready to run: what it exports, and its checked options. */
export interface ReadyPlugin {
  readonly definition: PluginDefinition;
  readonly options: unknown;
}

export interface HostOptions {
  readonly node: NodeId;
  readonly log?: Logger;
  onEnded(id: MessageId, outcome: Outcome): void;
}

/** Runs works in this process. A work that began keeps the version of the plugin that it began with. */
export class PluginHost {
  readonly #options: HostOptions;
  readonly #running = new Map<MessageId, AbortController>();
  #plugins: ReadonlyMap<string, ReadyPlugin> = new Map();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** From now on works run with these. */
  setPlugins(plugins: ReadonlyMap<string, ReadyPlugin>): void {
    this.#plugins = plugins;
  }

  start(request: StartRequest): void {
    const abort = new AbortController();
    this.#running.set(request.id, abort);
    this.#run(request, abort.signal).then(
      () => this.#ended(request.id, {}),
      (thrown: unknown) => this.#ended(request.id, failureOf(thrown)),
    );
  }

  /** Tells the plugin to stop; `error` is the signal's reason. */
  abort(id: MessageId, error: MeshError): void {
    this.#running.get(id)?.abort(error);
  }

  async #run(request: StartRequest, signal: AbortSignal): Promise<void> {
    const plugin = this.#plugins.get(request.plugin);
    const action = plugin === undefined ? undefined : actionOf(plugin.definition, request.action);
    if (plugin === undefined || action === undefined) {
      throw new Failure("UNKNOWN_ACTION", `${request.plugin}:${request.action} was removed before the work began`);
    }
    const input = new WorkInput(request.input, signal);
    const log = (this.#options.log ?? SILENT).child({ plugin: request.plugin, work: request.id });
    const context: Context = {
      id: request.id,
      node: this.#options.node,
      sender: request.sender,
      plugin: request.plugin,
      action: request.action,
      headers: request.headers,
      options: plugin.options,
      signal,
      log,
      respond: onChannel,
    };
    try {
      await runAction(action.run, input, context, request.sink);
    } finally {
      await input.close();
    }
  }

  #ended(id: MessageId, outcome: Outcome): void {
    this.#running.delete(id);
    this.#options.onEnded(id, outcome);
  }
}

/** An action in its long form; undefined where the plugin has none of that name. */
export function actionOf(definition: PluginDefinition, name: string): ActionDefinition<unknown> | undefined {
  if (!Object.hasOwn(definition.actions, name)) return undefined;
  const action = definition.actions[name];
  return typeof action === "function" ? { run: action } : action;
}
