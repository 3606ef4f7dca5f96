import type { PluginFacts } from "../work/types.ts";
import type { PluginDefinition } from "./definition.ts";
import type { Origin } from "./discovery.ts";
import type { IsolatedPlugin } from "./isolated/isolated-plugin.ts";
import type { Module } from "./load.ts";
import type { PluginsSetting } from "./settings.ts";

/** A plugin that has been loaded, checked and started. */
export interface LoadedPlugin {
  /** The part before the colon of its directives. */
  readonly name: string;
  /** The package's name; for a single file, its path. */
  readonly package: string;
  /** What problems with it are reported under. */
  readonly label: string;
  readonly version: string;
  readonly origin: Origin;
  /** The file that exports it, in its own place. */
  readonly entry: string;
  /** Changes when a file of its package or its dependencies does. */
  readonly fingerprint: string;
  /** Where its code was copied to before it was loaded; undefined: it was not. */
  readonly copy: string | undefined;
  readonly definition: PluginDefinition;
  /** Where it runs in a process of its own. */
  readonly apart?: IsolatedPlugin;
  /** Loads its code once more, as it was found, apart from this instance; `setting` says where it is to run. */
  loadAgain(setting: PluginsSetting): Promise<Module>;
  /** What its schema made of its part of the configuration. */
  readonly options: unknown;
  /** Its part of the configuration as JSON. */
  readonly given: string;
  readonly facts: PluginFacts;
}
