import type { Readable } from "node:stream";
import type { NodeOptions } from "../config/options.ts";
import type { LogConfig, NodeConfig, TlsConfig, WebSocketConfig } from "../config/node-config.ts";
import type { MeshError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { MeshNode } from "../node/api.ts";
import type * as membership from "../node/membership/membership.ts";
import type { Output } from "./output.ts";

export interface ConnectOptions {
  readonly peers: readonly string[];
  /** Milliseconds; default 5 s. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  readonly config?: { readonly tls?: TlsConfig; readonly websocket?: WebSocketConfig };
}

export interface NodeExtra {
  readonly log?: Logger;
  /** Called once if the node cannot go on, e.g. DUPLICATE_NODE. */
  readonly onFatal?: (error: MeshError) => void;
  /** Reads the configuration again, for `reload()`. */
  readonly reconfigure?: () => Promise<NodeConfig>;
}

export interface InstalledPlugin {
  readonly name: string;
  readonly package: string;
  readonly version: string;
  readonly actions?: readonly string[];
  readonly error?: string;
}

export interface MeshAddress {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
}

export type Membership = Pick<
  typeof membership,
  | "testAccess"
  | "makeMesh"
  | "makeToken"
  | "listTokens"
  | "revokeToken"
  | "describeCertificate"
  | "checkCertificate"
  | "join"
  | "renew"
  | "request"
  | "sign"
  | "installFile"
  | "revoke"
  | "listRevoked"
>;

/** What commands use of the rest of the product; tests put their own in its place. */
export interface Services {
  /** Joins the mesh as a short-lived node. Rejects with UNREACHABLE_MESH. */
  connect(options: ConnectOptions): Promise<MeshNode>;
  createNode(options: NodeOptions, extra: NodeExtra): Promise<MeshNode>;
  createLogger(config: LogConfig): Promise<Logger>;
  /** The parser of node addresses; it throws INVALID_ARGUMENT. */
  parseUrl(): Promise<(text: string) => MeshAddress>;
  /** Who uses a data folder. */
  describeHolder(folder: string): Promise<{ readonly pid: number; readonly node: string } | undefined>;
  /** Whether the address can be listened on now; else why not. */
  probeListen(host: string, port: number): Promise<string | undefined>;
  /** Making and joining secure meshes. */
  membership(): Promise<Membership>;
  /** The version of npm; rejects where there is none. */
  npmVersion(): Promise<string>;
  installPlugin(
    folder: string,
    spec: string,
    options: { readonly signal: AbortSignal; readonly allowScripts?: boolean },
  ): Promise<InstalledPlugin>;
  removePlugin(folder: string, name: string): Promise<void>;
  listInstalled(folder: string): Promise<readonly InstalledPlugin[]>;
}

/** The world around a command. */
export interface Context {
  readonly out: Output;
  readonly services: Services;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: Readable;
  /** Aborted at the first SIGINT or SIGTERM, and when nobody reads the output any more. */
  readonly signal: AbortSignal;
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Resolves after so many milliseconds, or as soon as the signal is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Calls `listener` at each SIGHUP. */
  onReload(listener: () => void): void;
}

/** Why a command was interrupted, as `signal.reason`. */
export interface Interruption {
  /** The exit status that it gives. */
  readonly exit: number;
}

/** The exit status of what was interrupted: 130 for SIGINT, 143 for SIGTERM, 0 where the reader went away. */
export function interruptedExit(signal: AbortSignal): number {
  const reason: unknown = signal.reason;
  return typeof reason === "object" && reason !== null && "exit" in reason && typeof reason.exit === "number" ? reason.exit : 130;
}
