import { randomBytes } from "node:crypto";
import type { NodeOptions } from "../config/options.ts";
import { type MeshError, MeshError as Failure } from "../core/errors.ts";
import type { MeshNode } from "./api.ts";
import { createNode } from "./create.ts";

export interface ConnectOptions {
  readonly peers: readonly string[];
  /** Milliseconds until a peer must have answered; default 5 s. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  readonly config?: Pick<NodeOptions, "tls" | "websocket">;
}

/** Joins the mesh for the length of one command. Rejects with UNREACHABLE_MESH as soon as every peer has failed. */
export async function connectMesh(options: ConnectOptions): Promise<MeshNode> {
  const timeout = options.timeout ?? 5_000;
  const refusals = new Map<string, string>();
  let fatal: MeshError | undefined;
  const node = await createNode(
    { ...options.config, id: `cli-${randomBytes(6).toString("hex")}`, listen: [], peers: options.peers, plugins: {} },
    { ephemeral: true, onFatal: (error) => (fatal = error), onPeerFailed: (url, error) => refusals.set(url, error.message) },
  );
  const events = node.events(options.signal === undefined ? {} : { signal: options.signal });
  const timer = setTimeout(() => void node.close(), timeout);
  try {
    for await (const event of events) {
      if (event.type === "link-up") return node;
      if (fatal !== undefined) throw fatal;
      if (refusals.size >= options.peers.length) break;
    }
  } catch (error) {
    await node.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  await node.close();
  const why = [...refusals.values()].join("; ");
  throw new Failure("UNREACHABLE_MESH", `no peer answers at ${options.peers.join(", ")}${why === "" ? ` within ${timeout} ms` : `: ${why}`}; is a node running there? Say where with --peer`);
}
