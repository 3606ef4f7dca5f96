/**
 * receptor-mesh: a node of a peer-to-peer work mesh.
 *
 * @example
 * await using node = await createNode({ id: "controller", listen: [], peers: ["tcp://127.0.0.1:8888"] });
 * const work = await node.send("worker", "echo:run", "hello");
 * for await (const response of work) console.log(response.serial, response.text());
 */
import type { NodeOptions } from "./config/options.ts";
import type { MeshNode } from "./node/api.ts";
import { createNode as create } from "./node/create.ts";

/**
 * Starts a node; resolves when it listens. Without `dataDir` it has a temporary one, removed at `close()`. Rejects with
 * CONFIG_INVALID, INSECURE_LISTEN, LISTEN_FAILED, DATA_DIR_IN_USE, STORE_FULL or STORE_CORRUPT; nothing stays open then.
 */
export function createNode(options: NodeOptions = {}): Promise<MeshNode> {
  return create(options);
}

export { ERROR_CODES, EXIT, isMeshError, MeshError } from "./core/errors.ts";
export { VERSION } from "./node/version.ts";

export type { ErrorCode, ErrorData, ExitStatus } from "./core/errors.ts";
export type { AccessRuleOption, DurationOption, NodeOptions, SizeOption } from "./config/options.ts";
export type {
  CallOptions,
  EachResponse,
  LinkStatus,
  MeshEvent,
  MeshNode,
  NodeStatus,
  OwnPluginStatus,
  ParkedStatus,
  Ping,
  PluginStatus,
  QueueEntry,
  Response,
  SendOptions,
  SendPayload,
  Status,
  TraceHop,
  Work,
  WorkEvent,
  WorkResult,
  WorkState,
  WorkStatus,
} from "./node/api.ts";
