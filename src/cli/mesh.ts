import { resolve } from "node:path";
import { defaultDataDir } from "../config/data-dir.ts";
import { memberFiles } from "../config/member-files.ts";
import { findConfigFile } from "../config/find.ts";
import { splitList } from "../config/split-list.ts";
import { DEFAULT_LISTEN, type TlsConfig } from "../config/node-config.ts";
import type { ResolvedConfig } from "../config/load.ts";
import { MeshError, toMeshError } from "../core/errors.ts";
import { isNodeId } from "../core/ids.ts";
import type { MeshNode } from "../node/api.ts";
import type { Arguments } from "./arguments.ts";
import { usage } from "./arguments.ts";
import type { ConnectOptions, Context } from "./context.ts";

export const CONNECT_TIMEOUT = 5_000;

/** The configuration that commands other than `node` go by; undefined where there is no file, so that nothing of it is loaded. */
export async function ownConfig(args: Arguments, { env, cwd, services }: Context): Promise<ResolvedConfig | undefined> {
  const file = args.text("config");
  if ((await findConfigFile(file, env, cwd)) === undefined) return undefined;
  const [{ loadConfig }, checkUrl] = await Promise.all([import("../config/load.ts"), services.parseUrl()]);
  return await loadConfig({ file, env, cwd, checkUrl });
}

/** What --peer, else RECEPTOR_PEER says; empty where neither does. */
export function namedPeers(args: Arguments, { env }: Pick<Context, "env">): readonly string[] {
  const flag = args.list("peer");
  return flag.length > 0 ? flag : splitList(env["RECEPTOR_PEERS"] || env["RECEPTOR_PEER"] || "");
}

/** Whom to join through: --peer, else RECEPTOR_PEER, else the configuration's peers, else the default address on this machine. */
export async function connection(args: Arguments, context: Context): Promise<ConnectOptions> {
  const config = (await ownConfig(args, context))?.config;
  const named = namedPeers(args, context);
  const tls =
    memberTls(args, context) ?? config?.tls ?? memberFiles(defaultDataDir(context.env["RECEPTOR_NODE_ID"] || undefined, context.env));
  const here = tls?.cert === undefined ? DEFAULT_LISTEN : DEFAULT_LISTEN.replace("tcp:", "tls:");
  const peers = [named, config?.peers ?? []].find((list) => list.length > 0) ?? [here];
  if (named.length > 0) {
    const parse = await context.services.parseUrl();
    for (const url of named) parse(url);
  }
  // Who names plain peers alone means a plain mesh, which has no use for the certificate of another.
  const shown = peers.every((url) => PLAIN.test(url)) ? undefined : tls;
  if (shown === undefined && config === undefined) return { peers };
  return {
    peers,
    config: { ...(shown === undefined ? {} : { tls: shown }), ...(config === undefined ? {} : { websocket: config.websocket }) },
  };
}

const PLAIN = /^(tcp|ws|rnp|receptor):\/\//i;

/** The certificate in the data folder that was named, by --data-dir or RECEPTOR_DATA_DIR. */
function memberTls(args: Arguments, { env, cwd }: Context): TlsConfig | undefined {
  const named = args.text("data-dir") ?? (env["RECEPTOR_DATA_DIR"] || undefined);
  return named === undefined ? undefined : memberFiles(resolve(cwd, named));
}

/** Joins the mesh, does something there, and leaves nothing behind. */
export async function withMesh<T>(
  args: Arguments,
  context: Context,
  use: (node: MeshNode) => Promise<T>,
  timeout: number = CONNECT_TIMEOUT,
): Promise<T> {
  const options = await connection(args, context);
  const node = await context.services.connect({ ...options, timeout: Math.min(timeout, CONNECT_TIMEOUT), signal: context.signal });
  try {
    return await use(node);
  } finally {
    await node.close();
  }
}

/** The node that we are linked to. */
export function peerOf(node: MeshNode): string {
  const peer = node.status().links[0]?.peer;
  if (peer === undefined) throw new MeshError("UNREACHABLE_MESH", "the link to the mesh was lost");
  return peer;
}

export interface AskOptions {
  readonly signal: AbortSignal;
  /** Milliseconds for the whole answer. */
  readonly timeout: number;
}

/** Each response of an action that answers in JSON. Rejects with TIMEOUT, and with whatever the work failed with. */
export async function ask(
  node: MeshNode,
  target: string,
  directive: string,
  input: Readonly<Record<string, unknown>>,
  options: AskOptions,
): Promise<unknown[]> {
  const timeout = AbortSignal.timeout(options.timeout);
  const signal = AbortSignal.any([options.signal, timeout]);
  try {
    const work = await node.send(target, directive, input, { signal, ttl: options.timeout });
    const answers: unknown[] = [];
    for await (const response of work) answers.push(response.json());
    await work.result({ signal });
    return answers;
  } catch (error) {
    if (timeout.aborted && !options.signal.aborted) {
      throw new MeshError("TIMEOUT", `${target} did not answer ${directive} within ${options.timeout / 1_000} s`, { cause: error });
    }
    throw toMeshError(error);
  }
}

/** A node id out of the command line. */
export function nodeArgument(args: Arguments, name = "node"): string {
  const id = args.required(name);
  if (!isNodeId(id)) throw usage(`"${id}" is no node id: use 1 to 128 characters of A-Z a-z 0-9 . _ : -`);
  return id;
}
