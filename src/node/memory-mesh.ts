import type { NodeOptions } from "../config/options.ts";
import { ResourceStack } from "../core/resources.ts";
import type { PluginDefinition } from "../plugin/definition.ts";
import { createTransports } from "../transports/index.ts";
import { MemoryHub } from "../transports/memory.ts";
import type { MeshNode } from "./api.ts";
import { createNode } from "./create.ts";

export interface MemoryNodeOptions extends Omit<NodeOptions, "listen" | "peers" | "plugins" | "extraPlugins"> {
  readonly id: string;
  /** Ids of nodes of this mesh that this one dials. */
  readonly peers?: readonly string[];
  /** What the node can do. Default: nothing. */
  readonly plugins?: readonly PluginDefinition[];
}

/**
 * A mesh of whole nodes in one process, without sockets: for the tests of controllers and plugins. Everything else is real: routing,
 * delivery, parking, work.
 *
 * @example
 * await using mesh = new MemoryMesh();
 * await mesh.node({ id: "worker", plugins: [greet] });
 * const controller = await mesh.node({ id: "controller", peers: ["worker"] });
 * await controller.reachable("worker");
 * const work = await controller.send("worker", "greet:run", "you");
 */
export class MemoryMesh implements AsyncDisposable {
  readonly #hub = new MemoryHub();
  readonly #addresses = new Map<string, string>();
  readonly #resources = new ResourceStack();

  /** Starts a node. Nodes that are dialled may start later. Rejects as `createNode` does. */
  async node(options: MemoryNodeOptions): Promise<MeshNode> {
    const { peers = [], plugins = [], ...rest } = options;
    const node = await createNode(
      { ...rest, listen: [this.#address(options.id)], peers: peers.map((id) => this.#address(id)), plugins: {} },
      { transports: createTransports({ memory: this.#hub }), definitions: plugins },
    );
    this.#resources.defer(() => node.close());
    return node;
  }

  /** Closes every node. Closing twice is harmless. */
  close(): Promise<void> {
    return this.#resources.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #address(id: string): string {
    let address = this.#addresses.get(id);
    if (address === undefined) {
      address = `memory://node-${this.#addresses.size + 1}:1`;
      this.#addresses.set(id, address);
    }
    return address;
  }
}
