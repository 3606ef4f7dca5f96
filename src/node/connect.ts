import type { NodeOptions } from "../config/options.ts";
import { MeshError } from "../core/errors.ts";
import type { MeshNode } from "./api.ts";
import { createNode } from "./create.ts";
import { abortable } from "./signals.ts";

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
  let failed = (): void => undefined;
  const allFailed = new Promise<"failed">((resolve) => {
    failed = () => resolve("failed");
  });
  const node = await createNode(
    { ...options.config, listen: [], peers: options.peers, plugins: {} },
    {
      ephemeral: true,
      onPeerFailed: (url, error) => {
        refusals.set(url, error.message);
        if (refusals.size >= options.peers.length) failed();
      },
    },
  );
  const linked = firstLink(node);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), timeout);
  });
  try {
    if ((await abortable(Promise.race([linked, allFailed, late]), options.signal)) === "linked") return node;
  } catch (error) {
    await node.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  await node.close();
  const why = [...refusals.values()].join("; ");
  throw new MeshError(
    "UNREACHABLE_MESH",
    `no peer answers at ${options.peers.join(", ")}${why === "" ? ` within ${timeout} ms` : `: ${why}`}; say with --peer where a node runs`,
  );
}

async function firstLink(node: MeshNode): Promise<"linked" | "failed"> {
  for await (const event of node.events()) if (event.type === "link-up") return "linked";
  return "failed";
}
