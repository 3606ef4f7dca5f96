/** How the text of a flag or of an environment variable becomes the value that the schema checks. */
export type Kind = "text" | "list" | "boolean" | "count";

/** One value of the configuration, and every way to say it. */
export interface Setting {
  /** Its keys in the file. */
  readonly path: readonly [string] | readonly [string, string];
  readonly kind: Kind;
  /** Environment variables; of several that are set, the first counts. */
  readonly env: readonly string[];
  /** The flag of `receptor node`, without dashes. */
  readonly flag?: string;
}

/** Every setting, in the order of the file. */
export const SETTINGS: readonly Setting[] = [
  { path: ["node", "id"], kind: "text", env: ["RECEPTOR_NODE_ID"], flag: "id" },
  { path: ["node", "groups"], kind: "list", env: ["RECEPTOR_GROUPS", "RECEPTOR_GROUP"], flag: "group" },
  { path: ["node", "dataDir"], kind: "text", env: ["RECEPTOR_DATA_DIR"], flag: "data-dir" },
  { path: ["node", "leaf"], kind: "boolean", env: ["RECEPTOR_LEAF"], flag: "leaf" },
  { path: ["listen"], kind: "list", env: ["RECEPTOR_LISTEN"], flag: "listen" },
  { path: ["peers"], kind: "list", env: ["RECEPTOR_PEERS", "RECEPTOR_PEER"], flag: "peer" },
  { path: ["insecure"], kind: "boolean", env: ["RECEPTOR_INSECURE"], flag: "insecure" },
  { path: ["e2e"], kind: "text", env: ["RECEPTOR_E2E"] },
  { path: ["transit", "bytesPerSecond"], kind: "text", env: ["RECEPTOR_TRANSIT_BYTES_PER_SECOND"] },
  { path: ["work", "maxConcurrent"], kind: "count", env: ["RECEPTOR_MAX_WORK"], flag: "max-work" },
  { path: ["work", "queue"], kind: "count", env: ["RECEPTOR_WORK_QUEUE"] },
  { path: ["work", "retention"], kind: "text", env: ["RECEPTOR_WORK_RETENTION"] },
  { path: ["store", "maxBytes"], kind: "text", env: ["RECEPTOR_STORE_MAX_BYTES"] },
  { path: ["store", "maxMessages"], kind: "count", env: ["RECEPTOR_STORE_MAX_MESSAGES"] },
  { path: ["store", "ttl"], kind: "text", env: ["RECEPTOR_STORE_TTL"] },
  { path: ["plugins"], kind: "text", env: [] },
  { path: ["allow"], kind: "text", env: [] },
  { path: ["deny"], kind: "text", env: [] },
  { path: ["http"], kind: "text", env: ["RECEPTOR_HTTP"], flag: "http" },
  { path: ["log", "level"], kind: "text", env: ["RECEPTOR_LOG_LEVEL"], flag: "log-level" },
  { path: ["log", "format"], kind: "text", env: ["RECEPTOR_LOG_FORMAT"], flag: "log-format" },
  { path: ["tls", "cert"], kind: "text", env: ["RECEPTOR_TLS_CERT"] },
  { path: ["tls", "key"], kind: "text", env: ["RECEPTOR_TLS_KEY"] },
  { path: ["tls", "ca"], kind: "text", env: ["RECEPTOR_TLS_CA"] },
  { path: ["tls", "identity"], kind: "text", env: ["RECEPTOR_TLS_IDENTITY"] },
  { path: ["mesh", "sign"], kind: "boolean", env: ["RECEPTOR_MESH_SIGN"] },
  { path: ["websocket", "headers"], kind: "text", env: [] },
];

/** Variables that are no setting of the configuration but mean something. */
export const OTHER_VARIABLES: readonly string[] = [
  "RECEPTOR_CONFIG",
  "RECEPTOR_PLUGINS",
  "RECEPTOR_PLUGIN",
  "RECEPTOR_DEBUG",
  "RECEPTOR_TOKEN",
];

/** Settings whose text is the path of a file or a folder. */
export const PATHS: ReadonlySet<string> = new Set(["node.dataDir", "tls.cert", "tls.key", "tls.ca"]);

/** Settings that are lists of node addresses. */
export const ADDRESSES: ReadonlySet<string> = new Set(["listen", "peers"]);
