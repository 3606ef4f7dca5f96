import { join } from "node:path";
import { isMeshError, toMeshError } from "../core/errors.ts";
import { type Log, SILENT } from "../core/log.ts";
import { factsOf } from "./check.ts";
import type { PluginDefinition } from "./definition.ts";
import { discoverPlugins, type Found, type PluginProblem } from "./discovery.ts";
import { isFolderLocked } from "./folder-lock.ts";
import { LATE, LOAD_LIMIT, within } from "./import.ts";
import { type Module, prepare } from "./load.ts";
import type { LoadedPlugin } from "./loaded.ts";
import { isOptionsError } from "./options.ts";
import { invalid } from "./package.ts";
import { Placement, type PlacementOptions } from "./placement.ts";
import { type Candidate, choose, type Chosen } from "./select.ts";
import type { PluginsSetting } from "./settings.ts";
import { removeCopies } from "./snapshot.ts";
import { FolderWatch } from "./watch.ts";

export interface RegistryOptions {
  /** `<data dir>/plugins`. It need not exist. */
  readonly pluginDir: string;
  /** The folder whose dependencies are looked at; undefined: none. */
  readonly cwd?: string;
  /** Package names, folders or files to load beside those that are found; they run whatever `plugins` says. */
  readonly specs?: readonly string[];
  /** "auto": every plugin that is found. A map: those that it names, with their options. */
  readonly plugins: PluginsSetting;
  /** Reload by itself within a second of a change of `pluginDir`. Default false. */
  readonly watch?: boolean;
  /** Names that no plugin may have. */
  readonly reserved?: readonly string[];
  readonly log?: Log;
  /** Milliseconds that loading, start() and stop() may each take; default 10 s. */
  readonly limit?: number;
  /** Resolves when no work runs on the plugin any more; only then is it stopped. Default: at once. */
  readonly drained?: (plugin: LoadedPlugin) => Promise<void>;
  /** Plugins may run in processes of their own. Default: none does. */
  readonly isolation?: PlacementOptions;
}

/** What a reload changed. An upgraded plugin has other code or other options than before. */
export interface PluginChange {
  readonly added: readonly LoadedPlugin[];
  readonly upgraded: readonly { readonly from: LoadedPlugin; readonly to: LoadedPlugin }[];
  readonly removed: readonly LoadedPlugin[];
  /** All that is wrong now, not only what is new. */
  readonly problems: readonly PluginProblem[];
}

/** What may be set anew at a reload. */
export type Settings = Partial<Pick<RegistryOptions, "plugins" | "specs">>;

/** The plugins that a node runs: found, checked, loaded, started, exchanged and stopped. */
export class PluginRegistry {
  readonly #log: Log;
  readonly #copies: string;
  readonly #placement: Placement;
  readonly #listeners = new Set<(change: PluginChange) => void>();
  /** Plugins whose last works still run. */
  readonly #retiring = new Set<LoadedPlugin>();
  readonly #stopped = new WeakSet<LoadedPlugin>();
  #options: RegistryOptions;
  #current: ReadonlyMap<string, LoadedPlugin> = new Map();
  #problems: readonly PluginProblem[] = [];
  #queue: Promise<unknown> = Promise.resolve();
  #watch: FolderWatch | undefined;
  #closed = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#log = options.log ?? SILENT;
    this.#copies = join(options.pluginDir, ".loaded");
    this.#placement = new Placement(options.isolation, this.#log);
  }

  /** The plugins by name, ready to run. */
  get plugins(): ReadonlyMap<string, LoadedPlugin> {
    return this.#current;
  }

  /** What is left out, and why. */
  get problems(): readonly PluginProblem[] {
    return this.#problems;
  }

  /** Loads what there is. Never rejects over a plugin that is wrong. */
  async open(): Promise<PluginChange> {
    const change = await this.reload();
    if (this.#options.watch === true && !this.#closed) this.#watch = new FolderWatch(this.#options.pluginDir, () => this.#noticed());
    return change;
  }

  /** Calls `listener` after each reload that changed plugins or problems; returns what ends that. */
  onChange(listener: (change: PluginChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks again at what is installed. What did not change goes on as it is; reloads run one after the other. */
  reload(settings: Settings = {}): Promise<PluginChange> {
    const next = this.#queue.then(() => this.#reload(settings));
    this.#queue = next.catch(() => undefined);
    return next;
  }

  /** Stops every plugin; bounded, also where one does not stop. Again is harmless. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.close();
    await this.#queue;
    const plugins = [...this.#current.values()];
    this.#current = new Map();
    await Promise.all(plugins.map((plugin) => this.#stop(plugin)));
    await Promise.all([...this.#retiring].map((plugin) => this.#stop(plugin)));
  }

  #noticed(): void {
    this.reload().catch((error: unknown) => {
      this.#log.warn({ code: toMeshError(error).code, error: toMeshError(error).message }, "plugins could not be reloaded");
    });
  }

  async #reload(settings: Settings): Promise<PluginChange> {
    if (this.#closed) return { added: [], upgraded: [], removed: [], problems: this.#problems };
    this.#options = { ...this.#options, ...settings };
    const { found, problems: discovered } = await discoverPlugins(this.#options);
    const problems = [...discovered];
    const seen = await Promise.all(found.map((pack) => this.#candidate(pack, problems)));
    const candidates = seen.filter((candidate) => candidate !== undefined);
    // What went wrong with a package that ran until now does not end it.
    const broken = new Set(problems.map((problem) => problem.package));
    for (const plugin of this.#current.values()) {
      if (broken.has(plugin.label) && candidates.every((other) => other.package !== plugin.package)) candidates.push(candidateOf(plugin));
    }
    const { chosen, problems: unchosen } = choose(candidates, this.#options.plugins, this.#options.reserved ?? []);
    problems.push(...unchosen);
    await closeUnchosen(candidates, chosen);
    const started = await Promise.all(chosen.map((choice) => this.#start(choice, problems)));
    return await this.#adopt(
      started.filter((plugin) => plugin !== undefined),
      problems,
    );
  }

  get #limit(): number {
    return this.#options.limit ?? LOAD_LIMIT;
  }

  async #candidate(found: Found, problems: PluginProblem[]): Promise<Candidate | undefined> {
    try {
      const prepared = await prepare(found, this.#copies, this.#limit);
      const { fingerprint } = prepared;
      const running = [...this.#current.values()].find((plugin) => plugin.entry === found.entry && plugin.fingerprint === fingerprint);
      if (running !== undefined) return candidateOf(running);
      // Where a package says its plugin's name, one that the configuration leaves out is not even loaded.
      const { plugins } = this.#options;
      const unwanted = found.says !== undefined && found.origin !== "spec" && plugins !== "auto" && !Object.hasOwn(plugins, found.says);
      if (unwanted) return undefined;
      // Where works still run on the same code after its removal, that instance is going to be stopped.
      const leaving = [...this.#retiring].some((plugin) => plugin.entry === found.entry && plugin.fingerprint === fingerprint);
      const module = await this.#placement.load(prepared, plugins, { says: found.says, fresh: leaving });
      const { definition } = module;
      if (found.says !== undefined && found.says !== definition.name) {
        await module.apart?.close();
        throw invalid(found.package, `its package.json says that its plugin is "${found.says}", and it is "${definition.name}"`);
      }
      const { package: pack, label, version, origin, entry } = found;
      const loadAgain = (setting: PluginsSetting): Promise<Module> =>
        this.#placement.load(prepared, setting, { says: definition.name, fresh: true });
      return { package: pack, label, version, origin, entry, fingerprint, ...module, loadAgain, running: undefined };
    } catch (error) {
      problems.push({ package: found.label, error: toMeshError(error, "PLUGIN_INVALID") });
      return undefined;
    }
  }

  /** The running plugin where nothing changed, else a new one that has started. */
  async #start({ candidate, options, facts, given }: Chosen, problems: PluginProblem[]): Promise<LoadedPlugin | undefined> {
    const { running, definition, copy, apart, loadAgain, ...rest } = candidate;
    const { name } = definition;
    if (running !== undefined && running.given === given) return running;
    let module: Module = { definition, copy, ...(apart !== undefined && { apart }) };
    try {
      // With other options it is another instance: works that began with the old ones keep what start() made for them.
      if (running !== undefined) module = await loadAgain(this.#options.plugins);
      await this.#startHook(module.definition, options, candidate.package);
      return {
        ...rest,
        ...module,
        name,
        loadAgain,
        options,
        given,
        facts: running === undefined ? facts : factsOf(module.definition, rest.version),
      };
    } catch (error) {
      if (module.definition !== running?.definition) await module.apart?.close();
      problems.push({ package: candidate.label, error: toMeshError(error, "PLUGIN_INVALID") });
      if (isOptionsError(error)) return undefined;
      // An upgrade that does not start leaves the old one in its place.
      const before = this.#current.get(name);
      return before?.package === candidate.package ? before : undefined;
    }
  }

  async #startHook(definition: PluginDefinition, options: unknown, label: string): Promise<void> {
    try {
      await within(this.#limit, Promise.resolve(definition.start?.(options)));
    } catch (error) {
      // One that runs apart looks at its options only now.
      if (isMeshError(error, "PLUGIN_INVALID")) throw error;
      const why = error === LATE ? `took longer than ${this.#limit} ms` : `failed: ${toMeshError(error).message}`;
      throw invalid(label, `start() of plugin "${definition.name}" ${why}`, error);
    }
  }

  async #adopt(plugins: readonly LoadedPlugin[], problems: readonly PluginProblem[]): Promise<PluginChange> {
    const before = this.#current;
    const troubled = describe(this.#problems) !== describe(problems);
    this.#current = new Map(plugins.map((plugin) => [plugin.name, plugin]));
    this.#problems = problems;
    const added = plugins.filter((plugin) => !before.has(plugin.name));
    const upgraded = plugins.flatMap((to) => {
      const from = before.get(to.name);
      return from === undefined || from === to ? [] : [{ from, to }];
    });
    const removed = [...before.values()].filter((plugin) => !this.#current.has(plugin.name));
    const change: PluginChange = { added, upgraded, removed, problems };
    if (troubled || added.length + upgraded.length + removed.length > 0) for (const listener of this.#listeners) listener(change);
    for (const plugin of [...removed, ...upgraded.map(({ from }) => from)]) this.#retire(plugin);
    await this.#tidy();
    return change;
  }

  /** Stops a plugin once the works that it runs have ended. */
  #retire(plugin: LoadedPlugin): void {
    const drained = this.#options.drained?.(plugin) ?? Promise.resolve();
    this.#retiring.add(plugin);
    drained
      .then(() => this.#stop(plugin))
      .catch((error: unknown) =>
        this.#log.warn({ plugin: plugin.name, error: toMeshError(error).message }, "a plugin could not be retired"),
      )
      .finally(() => {
        this.#retiring.delete(plugin);
        // In its turn: a reload that is under way has made copies that nothing refers to yet.
        this.#queue = this.#queue.then(() => this.#tidy());
      });
  }

  async #stop(plugin: LoadedPlugin): Promise<void> {
    if (this.#stopped.has(plugin)) return;
    this.#stopped.add(plugin);
    try {
      await within(this.#limit, Promise.resolve(plugin.definition.stop?.()));
    } catch (error) {
      this.#log.warn({ plugin: plugin.name, version: plugin.version, error: toMeshError(error).message }, "a plugin did not stop");
    } finally {
      await plugin.apart?.close();
    }
  }

  async #tidy(): Promise<void> {
    const used = [...this.#current.values(), ...this.#retiring].flatMap(({ copy }) => (copy === undefined ? [] : [copy]));
    try {
      if (!(await isFolderLocked(this.#options.pluginDir))) await removeCopies(this.#copies, used);
    } catch (error) {
      this.#log.warn({ error: toMeshError(error).message }, "old copies of plugins could not be removed");
    }
  }
}

/** Those that run apart and are not to run at all. */
async function closeUnchosen(candidates: readonly Candidate[], chosen: readonly Chosen[]): Promise<void> {
  const unused = candidates.filter((one) => one.running === undefined && chosen.every(({ candidate }) => candidate !== one));
  await Promise.all(unused.map(async ({ apart }) => await apart?.close()));
}

function candidateOf(running: LoadedPlugin): Candidate {
  return { ...running, running };
}

function describe(problems: readonly PluginProblem[]): string {
  return problems.map((problem) => problem.error.message).join("\n");
}
