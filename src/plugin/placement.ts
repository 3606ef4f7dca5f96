import type { Log } from "../core/log.ts";
import type { Isolation } from "./isolated/isolation.ts";
import type { Secrets } from "./isolated/launch.ts";
import type { Module, Prepared } from "./load.ts";
import { type PluginsSetting, settingsOf } from "./settings.ts";

export interface PlacementOptions {
  /** The node's id, for plugins that ask. */
  readonly node: string;
  /** Whether those run apart of which the configuration does not say where. */
  readonly byDefault: boolean;
  /** What their processes are kept from, where that is wanted and possible. */
  readonly secrets?: Secrets;
}

/** Decides which plugins run in a process of their own, and loads them where they are to run. */
export class Placement {
  readonly #options: PlacementOptions | undefined;
  readonly #log: Log;

  constructor(options: PlacementOptions | undefined, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  /**
   * Loads a plugin. `says`: its name, where that is known before; else the plugin itself is asked for it apart from this process,
   * wherever one may have to run there. `fresh`: as if it had never been loaded before. Rejects with PLUGIN_INVALID.
   */
  async load(
    prepared: Prepared,
    setting: PluginsSetting,
    { says, fresh }: { readonly says: string | undefined; readonly fresh: boolean },
  ): Promise<Module> {
    const guess = says === undefined ? this.#unnamed(setting) : this.#of(says, setting);
    const module = await this.#loadIn(guess, prepared, fresh);
    if (says !== undefined) return module;
    const right = this.#of(module.definition.name, setting);
    if (JSON.stringify(right) === JSON.stringify(guess)) return module;
    await module.apart?.close();
    return await this.#loadIn(right, prepared, fresh);
  }

  async #loadIn(isolation: Isolation | undefined, prepared: Prepared, fresh: boolean): Promise<Module> {
    if (isolation === undefined || this.#options === undefined) return await prepared.load(fresh);
    const { node, secrets } = this.#options;
    return await prepared.isolate({ isolation, node, log: this.#log, ...(secrets !== undefined && { secrets }) });
  }

  /** Undefined: in this process. */
  #of(name: string, setting: PluginsSetting): Isolation | undefined {
    if (this.#options === undefined) return undefined;
    const { trusted, isolation } = settingsOf(setting === "auto" || !Object.hasOwn(setting, name) ? undefined : setting[name]);
    return (trusted ?? !this.#options.byDefault) ? undefined : isolation;
  }

  #unnamed(setting: PluginsSetting): Isolation | undefined {
    if (this.#options === undefined) return undefined;
    const parts = setting === "auto" ? [] : Object.values(setting).map(settingsOf);
    if (!this.#options.byDefault && !parts.some(({ trusted }) => trusted === false)) return undefined;
    // It may be any of them: it has to be as the one that is held most strictly.
    const user = parts.map(({ isolation }) => isolation.user).find((each) => each !== undefined);
    const hide = parts.map(({ isolation }) => isolation.hide).find((each) => each !== undefined && each !== false);
    return { ...settingsOf(undefined).isolation, user, hide };
  }
}
