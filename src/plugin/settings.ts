import { DEFAULT_MEMORY, type Isolation } from "./isolated/isolation.ts";
import { isRecord } from "./package.ts";

/** "auto": every plugin. A map: those that it names, with their options. */
export type PluginsSetting = "auto" | Readonly<Record<string, unknown>>;

/** A plugin's part of the configuration: what the node takes from it, and the options that are left for the plugin. */
export interface PluginSettings {
  /** True: it runs in the node's process. False: in one of its own. Undefined: as the node does with all. */
  readonly trusted: boolean | undefined;
  readonly isolation: Isolation;
  readonly options: unknown;
}

/** The configuration has checked what it says about these two keys. */
export function settingsOf(part: unknown): PluginSettings {
  if (!isRecord(part)) return { trusted: undefined, isolation: isolationOf(undefined), options: part };
  const { trusted, isolation, ...options } = part;
  return { trusted: typeof trusted === "boolean" ? trusted : undefined, isolation: isolationOf(isolation), options };
}

function isolationOf(given: unknown): Isolation {
  const { memory, time, environment, hide, user } = isRecord(given) ? given : {};
  return {
    memory: typeof memory === "number" ? memory : DEFAULT_MEMORY,
    time: typeof time === "number" ? time : undefined,
    environment: Array.isArray(environment) ? environment.filter(isText) : [],
    hide: Array.isArray(hide) ? hide.filter(isText) : typeof hide === "boolean" ? hide : undefined,
    user: typeof user === "string" ? user : undefined,
  };
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
