import { resolve } from "node:path";
import { memberFiles } from "./member-files.ts";
import { DEFAULT_SECURE_LISTEN, DEFAULTS, freeze, type NodeConfig, type PluginsConfig, type TlsConfig } from "./node-config.ts";
import { configInvalid } from "./problems.ts";
import type { FileConfig } from "./schema.ts";
import { PATHS, SETTINGS } from "./settings.ts";

/** Where a value came from. */
export type Origin =
  | { readonly source: "flag" | "environment"; readonly name: string }
  | { readonly source: "file"; readonly file: string; readonly line: number; readonly column: number }
  | { readonly source: "default" };

/** One source that has been checked. */
export interface Layer {
  readonly values: FileConfig;
  origin(key: string): Origin;
  /** What its relative paths are relative to. */
  readonly base: string;
}

type Sections = Readonly<Record<string, unknown>>;

/** The first layer that says something counts, setting by setting; then the defaults. Throws CONFIG_INVALID where settings do not fit together. */
export function resolveLayers(
  layers: readonly Layer[],
  extraPlugins: { readonly values: readonly string[]; readonly origin: Origin },
  dataDir: (id: string | undefined) => string | undefined,
): { readonly config: NodeConfig; readonly origins: ReadonlyMap<string, Origin> } {
  const origins = new Map<string, Origin>();
  const merged: Record<string, unknown> = {};
  for (const { path } of SETTINGS) {
    const key = path.join(".");
    const layer = layers.find(({ values }) => read(values, path) !== undefined);
    origins.set(key, layer?.origin(key) ?? { source: "default" });
    if (layer === undefined) continue;
    const value = read(layer.values, path);
    const final = PATHS.has(key) && typeof value === "string" ? resolve(layer.base, value) : value;
    const [first, second] = path;
    if (second === undefined) merged[first] = final;
    else merged[first] = Object.assign(merged[first] ?? {}, { [second]: final });
  }
  origins.set("extraPlugins", extraPlugins.origin);
  const config = withDefaults(merged, extraPlugins.values, dataDir);
  checkTogether(config.tls, origins);
  return { config, origins };
}

function read(values: Sections, [first, second]: readonly [string, string?]): unknown {
  const section = Object.hasOwn(values, first) ? values[first] : undefined;
  if (second === undefined) return section;
  return typeof section === "object" && section !== null && Object.hasOwn(section, second) ? Reflect.get(section, second) : undefined;
}

/** The whole configuration out of what was said. */
export function withDefaults(
  said: FileConfig,
  extraPlugins: readonly string[],
  dataDir: (id: string | undefined) => string | undefined,
): NodeConfig {
  const { node = {}, work = {}, store = {}, log = {}, websocket = {} } = said;
  const folder = node.dataDir ?? dataDir(node.id);
  const member = said.tls?.cert === undefined && said.tls?.ca === undefined && folder !== undefined ? memberFiles(folder) : undefined;
  const tls = { ...member, ...said.tls };
  // With certificates there is something to guard, so only what was named runs.
  const plugins: PluginsConfig = said.plugins ?? (tls.cert === undefined ? DEFAULTS.plugins : {});
  return freeze({
    id: node.id,
    groups: [...new Set(node.groups)],
    dataDir: folder,
    leaf: node.leaf ?? DEFAULTS.leaf,
    listen: [...(said.listen ?? (member === undefined ? DEFAULTS.listen : [DEFAULT_SECURE_LISTEN]))],
    peers: [...new Set(said.peers)],
    insecure: said.insecure ?? DEFAULTS.insecure,
    e2e: said.e2e ?? DEFAULTS.e2e,
    transit: { bytesPerSecond: said.transit?.bytesPerSecond },
    work: { ...DEFAULTS.work, ...defined(work) },
    store: { ...DEFAULTS.store, ...defined(store) },
    plugins,
    extraPlugins: [...extraPlugins],
    allow: said.allow,
    deny: [...(said.deny ?? DEFAULTS.deny)],
    http: said.http,
    log: { ...DEFAULTS.log, ...defined(log) },
    tls: defined(tls),
    mesh: { sign: said.mesh?.sign },
    websocket: { headers: { ...websocket.headers } },
  });
}

type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

function defined<T extends object>(section: T): Defined<T> {
  return Object.fromEntries(Object.entries(section).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function checkTogether(tls: TlsConfig, origins: ReadonlyMap<string, Origin>): void {
  if ((tls.cert === undefined) === (tls.key === undefined)) return;
  const [given, missing] = tls.cert === undefined ? ["tls.key", "tls.cert"] : ["tls.cert", "tls.key"];
  const origin = origins.get(given);
  const place = origin?.source === "file" ? origin : { file: origin !== undefined && "name" in origin ? origin.name : "" };
  const { file, line, column } = { line: undefined, column: undefined, ...place };
  throw configInvalid([
    {
      file,
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { column }),
      message: `${given} needs ${missing} too`,
    },
  ]);
}
