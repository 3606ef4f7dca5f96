import { TIMES } from "../core/limits.ts";
import type { AccessRule } from "../identity/access.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ["pretty", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface WorkConfig {
  /** Works that run at once on this node; default 8. */
  readonly maxConcurrent: number;
  /** Works that wait for their turn; default 1,000. What comes on top is refused with BUSY. */
  readonly queue: number;
  /** Milliseconds that the outcome and the responses of an ended work are kept for who comes back; default 1 h. */
  readonly retention: number;
}

export interface StoreConfig {
  /** Bytes of messages that may wait here; default 1 GiB. */
  readonly maxBytes: number;
  /** Messages that may wait here; default 1,000,000. */
  readonly maxMessages: number;
  /** Milliseconds that a message sent from here may take to be accepted, where its sender does not say; default 5 min. */
  readonly ttl: number;
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

/** Absolute paths of PEM files. */
export interface TlsConfig {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  /** Where certificates name their node: mesh, none, or uri:, dns: or cn: with `{node}` in it. Default mesh, where there is a `ca`. */
  readonly identity?: string;
}

export interface TransitConfig {
  /** Of each neighbour; undefined: as much as it likes. */
  readonly bytesPerSecond: number | undefined;
}

export interface MeshConfig {
  /** Signs certificates while it runs. Undefined: as `receptor mesh init` has said in the data folder. */
  readonly sign: boolean | undefined;
}

export interface WebSocketConfig {
  /** Sent with each WebSocket that is dialled. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A plugin's own options, and with them `trusted` and `isolation` (memory in bytes, time in ms, environment, hide, user), which the node takes out. */
export type PluginOptions = Readonly<Record<string, unknown>>;

/** "auto": every plugin that is found. A map: these, with their options. */
export type PluginsConfig = "auto" | Readonly<Record<string, PluginOptions>>;

/** Everything a node is told, resolved and frozen. Times are milliseconds, sizes bytes, paths absolute. */
export interface NodeConfig {
  /** Undefined: the node makes an id at its first start, and keeps it in its data folder. */
  readonly id: string | undefined;
  readonly groups: readonly string[];
  /** Undefined: a temporary one, removed when the node closes. */
  readonly dataDir: string | undefined;
  /** Carries nothing for others. */
  readonly leaf: boolean;
  /** Default: only tcp://127.0.0.1:8888; with the certificate of a mesh tls://0.0.0.0:8888. */
  readonly listen: readonly string[];
  readonly peers: readonly string[];
  /** Allows listeners beyond loopback without a certificate. */
  readonly insecure: boolean;
  /** Whether messages are sealed from end to end. Only with a certificate. */
  readonly e2e: "required" | "preferred" | "off";
  readonly transit: TransitConfig;
  readonly work: WorkConfig;
  readonly store: StoreConfig;
  /** Default "auto"; with a certificate: none. */
  readonly plugins: PluginsConfig;
  /** Package names or paths to load beside those that are found; they run whatever `plugins` says. */
  readonly extraPlugins: readonly string[];
  /** Who may send work here. Undefined: with a certificate nobody else, without one everybody. */
  readonly allow: readonly AccessRule[] | undefined;
  /** Who may not, whatever `allow` says; default none. */
  readonly deny: readonly AccessRule[];
  /** HOST:PORT of health, metrics and status; undefined: none. */
  readonly http: string | undefined;
  readonly log: LogConfig;
  readonly tls: TlsConfig;
  readonly mesh: MeshConfig;
  readonly websocket: WebSocketConfig;
}

export const DEFAULT_LISTEN = "tcp://127.0.0.1:8888";
/** That of a node with the certificate of a mesh, which lets in nobody else. */
export const DEFAULT_SECURE_LISTEN = "tls://0.0.0.0:8888";

/** Configurations that are whole and frozen, hence as right as when they were checked. */
const resolved = new WeakSet<object>();

/** What holds where nothing else was said. */
export const DEFAULTS: NodeConfig = freeze({
  id: undefined,
  groups: [],
  dataDir: undefined,
  leaf: false,
  listen: [DEFAULT_LISTEN],
  peers: [],
  insecure: false,
  e2e: "required",
  transit: { bytesPerSecond: undefined },
  work: { maxConcurrent: 8, queue: 1_000, retention: TIMES.retention },
  store: { maxBytes: 2 ** 30, maxMessages: 1_000_000, ttl: TIMES.timeToLive },
  plugins: "auto",
  extraPlugins: [],
  allow: undefined,
  deny: [],
  http: undefined,
  log: { level: "info", format: "pretty" },
  tls: {},
  mesh: { sign: undefined },
  websocket: { headers: {} },
});

/** Whether `value` has been checked and frozen here. */
export function isResolved(value: object): value is NodeConfig {
  return resolved.has(value);
}

/** Freezes the configuration all the way down, except what the options of plugins hold: those belong to their plugins. */
export function freeze(config: NodeConfig): NodeConfig {
  const sections = [
    config.groups,
    config.listen,
    config.peers,
    config.work,
    config.store,
    config.extraPlugins,
    config.log,
    config.tls,
    config.mesh,
    config.deny,
    config.transit,
    config.mesh,
  ];
  for (const section of [...sections, config.websocket, config.websocket.headers]) Object.freeze(section);
  if (config.allow !== undefined) Object.freeze(config.allow);
  if (config.plugins !== "auto") {
    Object.freeze(config.plugins);
    for (const options of Object.values(config.plugins)) Object.freeze(options);
  }
  resolved.add(config);
  return Object.freeze(config);
}
