import { join, resolve } from "node:path";
import type { NodeConfig } from "../../config/node-config.ts";
import type { Logger } from "../../core/log.ts";
import { checkDefinition, factsOf } from "../../plugin/check.ts";
import type { PluginDefinition } from "../../plugin/definition.ts";
import type { PluginHost, ReadyPlugin } from "../../plugin/host.ts";
import type { LoadedPlugin } from "../../plugin/loaded.ts";
import { PluginRegistry } from "../../plugin/registry.ts";
import type { PluginAdvertisement } from "../../wire/advertisement.ts";
import type { PluginFacts } from "../../work/types.ts";
import type { OwnPluginStatus } from "../api.ts";
import { VERSION } from "../version.ts";

export interface NodePluginsOptions {
  readonly config: NodeConfig;
  /** The node's id. */
  readonly node: string;
  readonly dataDir: string;
  readonly log: Logger;
  /** False: only what is built in or given. */
  readonly discover: boolean;
  readonly builtin: PluginDefinition;
  /** Plugins of the program itself; their options are not parsed. */
  readonly definitions: readonly PluginDefinition[];
  readonly host: PluginHost;
  onChange(facts: readonly PluginFacts[], advertised: readonly PluginAdvertisement[]): void;
  /** What is wrong with plugins now; each says which, and what to do. */
  onProblems(problems: readonly string[]): void;
}

interface OwnPlugin extends ReadyPlugin {
  readonly facts: PluginFacts;
}

function statusOf({ name, version, actions }: PluginFacts, apart: LoadedPlugin["apart"]): OwnPluginStatus {
  const place =
    apart === undefined ? { isolated: false } : { isolated: true, hidden: apart.hidden, pid: apart.pid ?? null, restarts: apart.restarts };
  return { name, version, actions: [...actions.keys()], ...place };
}

/** The plugins that a node runs: what is built in, what its program gives it, and what was found. */
export class NodePlugins {
  readonly #options: NodePluginsOptions;
  readonly #own: ReadonlyMap<string, OwnPlugin>;
  readonly #registry: PluginRegistry;
  /** Of which the log has told. */
  #problems: readonly string[] = [];

  private constructor(options: NodePluginsOptions) {
    this.#options = options;
    const own = [options.builtin, ...options.definitions].map((definition) => checkDefinition(definition, definition.name));
    const facts = (definition: PluginDefinition): PluginFacts => ({
      ...factsOf(definition, VERSION),
      ...(definition.name === options.builtin.name && { apart: true }),
    });
    this.#own = new Map(own.map((definition) => [definition.name, { definition, options: undefined, facts: facts(definition) }]));
    const pluginDir = join(options.dataDir, "plugins");
    const byDefault = options.config.tls.cert !== undefined;
    this.#registry = new PluginRegistry({
      pluginDir,
      cwd: process.cwd(),
      specs: options.config.extraPlugins,
      plugins: options.config.plugins,
      watch: true,
      reserved: [...this.#own.keys()],
      log: options.log,
      isolation: { node: options.node, byDefault, secrets: { dataDir: resolve(options.dataDir), plugins: resolve(pluginDir) } },
      drained: ({ definition }) => options.host.drained(definition),
    });
  }

  /** Loads what there is; a plugin that is wrong is a problem, and keeps no other back. */
  static async open(options: NodePluginsOptions): Promise<NodePlugins> {
    const plugins = new NodePlugins(options);
    if (options.discover) await plugins.#registry.open();
    plugins.#adopt();
    plugins.#registry.onChange(() => plugins.#adopt());
    return plugins;
  }

  async reload(config: NodeConfig): Promise<void> {
    if (this.#options.discover) await this.#registry.reload({ plugins: config.plugins, specs: config.extraPlugins });
  }

  async close(): Promise<void> {
    await this.#registry.close();
  }

  /** What runs here, beside what is built in, and in which process. */
  list(): readonly OwnPluginStatus[] {
    const { builtin } = this.#options;
    const own = [...this.#own.values()].filter(({ facts }) => facts.name !== builtin.name).map(({ facts }) => statusOf(facts, undefined));
    return [...[...this.#registry.plugins.values()].map(({ facts, apart }) => statusOf(facts, apart)), ...own];
  }

  #adopt(): void {
    const { host, builtin, log } = this.#options;
    const ready = new Map<string, OwnPlugin>([...this.#registry.plugins, ...this.#own]);
    host.setPlugins(ready);
    const facts = [...ready.values()].map((plugin) => plugin.facts);
    const advertised = facts
      .filter(({ name }) => name !== builtin.name)
      .map(({ name, version, actions }) => ({ name, version, actions: [...actions.keys()] }));
    this.#options.onChange(facts, advertised);
    const problems = this.#registry.problems.map(({ error }) => error.message);
    for (const problem of problems)
      if (!this.#problems.includes(problem)) log.warn({ event: "plugin-left-out", error: problem }, "plugin left out");
    this.#problems = problems;
    this.#options.onProblems(problems);
    if (advertised.length > 0)
      log.info({ event: "plugins", plugins: advertised.map(({ name, version }) => `${name}@${version}`) }, "plugins");
  }
}
