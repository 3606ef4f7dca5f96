import type { ResolvedConfig } from "./load.ts";
import type { Origin } from "./resolve.ts";
import { SETTINGS } from "./settings.ts";

/** One value of the resolved configuration. */
export interface ShownValue {
  /** Dotted, as in the file: `work.queue`. */
  readonly key: string;
  /** Times in milliseconds, sizes in bytes; undefined where there is none. */
  readonly value: unknown;
  readonly origin: Origin;
}

/** Every value by its key in the file. The values of headers are hidden unless `reveal`: they hold passwords. */
export function inFileShape({ config, origins }: ResolvedConfig, options: { readonly reveal?: boolean } = {}): ShownValue[] {
  const { id, groups, dataDir, leaf, ...rest } = config;
  const headers = Object.entries(config.websocket.headers).map(([name, value]) => [name, options.reveal === true ? value : "(hidden)"]);
  const shape = { ...rest, node: { id, groups, dataDir, leaf }, websocket: { headers: Object.fromEntries(headers) } };
  const values = SETTINGS.map(({ path }) => {
    const key = path.join(".");
    const value = path.reduce<unknown>(
      (part, name) => (typeof part === "object" && part !== null ? Reflect.get(part, name) : undefined),
      shape,
    );
    return { key, value, origin: origins.get(key) ?? ({ source: "default" } as const) };
  });
  if (config.extraPlugins.length === 0) return values;
  return [...values, { key: "extraPlugins", value: config.extraPlugins, origin: origins.get("extraPlugins") ?? { source: "default" } }];
}
