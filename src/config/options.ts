import { resolve } from "node:path";
import type { Logger } from "../core/log.ts";
import { check, type CheckUrl, knownKeys, refuse } from "./layer.ts";
import { isResolved, type LogFormat, type LogLevel, type NodeConfig, type PluginsConfig } from "./node-config.ts";
import { isPlainOptions } from "./plain.ts";
import { withDefaults } from "./resolve.ts";

/** Milliseconds, or text such as `250ms`, `30s`, `5m`. */
export type DurationOption = number | string;
/** Bytes, or text such as `512MiB`. */
export type SizeOption = number | string;

/** Each is a pattern, or a list of which one must fit; what is left out fits all. `*` stands for any characters. */
export interface AccessRuleOption {
  readonly from?: string | readonly string[] | undefined;
  readonly groups?: string | readonly string[] | undefined;
  readonly to?: string | readonly string[] | undefined;
  readonly directive?: string | readonly string[] | undefined;
}

/** What `createNode` takes: the keys of the configuration file, with those of `node` at the top. A `NodeConfig` is one too. */
export interface NodeOptions {
  /** Default: one that is made at the first start and kept in the data folder. */
  readonly id?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  /** Default: a temporary folder, removed at `close()`. */
  readonly dataDir?: string | undefined;
  /** Carries nothing for others. Default false. */
  readonly leaf?: boolean | undefined;
  /** Default `["tcp://127.0.0.1:8888"]`. */
  readonly listen?: readonly string[] | undefined;
  readonly peers?: readonly string[] | undefined;
  /** Allows listeners beyond loopback without a certificate. Default false. */
  readonly insecure?: boolean | undefined;
  /** Whether messages are sealed from end to end, where this node has a certificate. Default "required". */
  readonly e2e?: "required" | "preferred" | "off" | undefined;
  /** What each neighbour may have this node carry, in bytes a second; default: as much as it likes. */
  readonly transit?: { readonly bytesPerSecond?: SizeOption | undefined } | undefined;
  readonly work?:
    | { readonly maxConcurrent?: number | undefined; readonly queue?: number | undefined; readonly retention?: DurationOption | undefined }
    | undefined;
  readonly store?:
    | { readonly maxBytes?: SizeOption | undefined; readonly maxMessages?: number | undefined; readonly ttl?: DurationOption | undefined }
    | undefined;
  /** Default "auto"; with a certificate: none. */
  readonly plugins?: PluginsConfig | undefined;
  /** Package names or paths of more plugins. */
  readonly extraPlugins?: readonly string[] | undefined;
  /** Who may send work here: patterns over sender, its groups, this node's id and directive. Default: with a certificate nobody else, without one everybody. */
  readonly allow?: readonly AccessRuleOption[] | undefined;
  /** Who may not, whatever `allow` says. Default none. */
  readonly deny?: readonly AccessRuleOption[] | undefined;
  /** HOST:PORT of health, metrics and status. Default: none. */
  readonly http?: string | undefined;
  /** A pino logger, or how to log on stdout. Default: nothing is logged. */
  readonly log?: Logger | { readonly level?: LogLevel | undefined; readonly format?: LogFormat | undefined } | undefined;
  /** Paths of PEM files, and where certificates name their node. Default: the certificate of a mesh, where the data folder has one. */
  readonly tls?:
    | {
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
        readonly ca?: string | undefined;
        readonly identity?: string | undefined;
      }
    | undefined;
  readonly mesh?:
    | { /** Signs certificates while it runs; default: as `receptor mesh init` said. */ readonly sign?: boolean | undefined }
    | undefined;
  readonly websocket?: { readonly headers?: Readonly<Record<string, string>> | undefined } | undefined;
}

const KEYS = knownKeys(true);
const schema = async () => (await import("./schema.ts")).optionsSchema;

/**
 * Checks what a program passed to `createNode` and fills in the defaults; paths become absolute. A logger in `log` is left to the caller.
 * Its own result, and that of `loadConfig`, it takes as it is. Rejects with CONFIG_INVALID that has every problem.
 */
export async function resolveOptions(options: NodeOptions = {}, checkUrl?: CheckUrl): Promise<NodeConfig> {
  if (isResolved(options)) return options;
  const logger = isLogger(options.log);
  // A level without more stands for "log"; nothing at all for a library that keeps quiet.
  const log = logger || options.log === undefined ? { level: "silent" } : options.log;
  const { value, problems } = await check(isPlainOptions, schema, { ...options, log }, KEYS, () => ({ file: "" }), checkUrl);
  refuse(problems);
  const { id, groups, dataDir, leaf, extraPlugins, ...rest } = value ?? {};
  const tls = Object.fromEntries(
    Object.entries(rest.tls ?? {}).map(([key, text]) => [key, text === undefined || key === "identity" ? text : resolve(text)]),
  );
  if ((tls["cert"] === undefined) !== (tls["key"] === undefined))
    refuse([{ file: "", message: "tls needs both cert and key, or neither" }]);
  const node = { id, groups, dataDir: dataDir === undefined ? undefined : resolve(dataDir), leaf };
  return withDefaults({ ...rest, node, tls }, extraPlugins ?? [], () => undefined);
}

/** Whether `log` is a logger (pino's are) and not how to make one. */
export function isLogger(log: unknown): log is Logger {
  return (
    typeof log === "object" &&
    log !== null &&
    ["debug", "info", "warn", "error", "child"].every((name) => typeof Reflect.get(log, name) === "function")
  );
}
