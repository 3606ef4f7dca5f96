import { findConfigFile } from "../config/find.ts";
import { splitList } from "../config/split-list.ts";
import { DEFAULT_LISTEN } from "../config/node-config.ts";
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
  const peers = [named, config?.peers ?? []].find((list) => list.length > 0) ?? [DEFAULT_LISTEN];
  if (named.length > 0) {
    const parse = await context.services.parseUrl();
    for (const url of named) parse(url);
  }
  const settings = config === undefined ? {} : { config: { tls: config.tls, websocket: config.websocket } };
  return { peers, ...settings };
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
