import { pathToFileURL } from "node:url";
import type { NodeConfig } from "../config/node-config.ts";
import type { Logger } from "../core/log.ts";
import type { PluginDefinition } from "../plugin/definition.ts";
import { actionOf, type PluginHost, type ReadyPlugin } from "../plugin/host.ts";
import type { PluginAdvertisement } from "../wire/advertisement.ts";
import type { ActionFacts, PluginFacts } from "../work/types.ts";
import { VERSION } from "./version.ts";

export interface NodePluginsOptions {
  readonly config: NodeConfig;
  readonly dataDir: string;
  readonly log: Logger;
  /** False: only what is built in. */
  readonly discover: boolean;
  readonly builtin: PluginDefinition;
  readonly host: PluginHost;
  onChange(facts: readonly PluginFacts[], advertised: readonly PluginAdvertisement[]): void;
  /** A plugin that is left out, and why; undefined: it is well again. */
  onWarning(key: string, text: string | undefined): void;
}

/** The plugins that a node runs: what is built in, and what was found. */
export class NodePlugins {
  readonly #options: NodePluginsOptions;

  static async open(options: NodePluginsOptions): Promise<NodePlugins> {
    const plugins = new NodePlugins(options);
    await plugins.reload(options.config);
    return plugins;
  }

  private constructor(options: NodePluginsOptions) {
    this.#options = options;
  }

  async reload(config: NodeConfig): Promise<void> {
    const ready = new Map<string, ReadyPlugin>([["mesh", { definition: this.#options.builtin, options: undefined }]]);
    for (const spec of config.extraPlugins) {
      const loaded = (await import(pathToFileURL(await entryOf(spec)).href)) as { default: PluginDefinition };
      ready.set(loaded.default.name, { definition: loaded.default, options: {} });
    }
    this.#options.host.setPlugins(ready);
    const facts = [...ready.values()].map(({ definition }) => factsOf(definition));
    this.#options.onChange(facts, facts.filter(({ name }) => name !== "mesh").map(({ name, version, actions }) => ({ name, version, actions: [...actions.keys()] })));
  }

  async close(): Promise<void> {}
}

async function entryOf(spec: string): Promise<string> {
  const { readFile, stat } = await import("node:fs/promises");
  if (!(await stat(spec)).isDirectory()) return spec;
  const manifest = JSON.parse(await readFile(`${spec}/package.json`, "utf8")) as { receptor: { plugin: string } };
  return `${spec}/${manifest.receptor.plugin}`;
}

function factsOf(definition: PluginDefinition): PluginFacts {
  const actions = new Map<string, ActionFacts>();
  for (const name of Object.keys(definition.actions)) {
    const action = actionOf(definition, name);
    if (action === undefined) continue;
    actions.set(name, {
      idempotent: action.idempotent ?? false,
      ...(action.concurrency === undefined ? {} : { concurrency: action.concurrency }),
      ...(action.deadline === undefined ? {} : { deadline: action.deadline }),
    });
  }
  return { name: definition.name, version: VERSION, actions, ...(definition.concurrency === undefined ? {} : { concurrency: definition.concurrency }) };
}
