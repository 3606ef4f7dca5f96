import type { MessageId, NodeId } from "../../core/ids.ts";

/** How many are remembered. */
const MOST = 10_000;

/** At which nodes the works are that this node has sent and no longer follows, for whoever asks for them here. */
export class Whereabouts {
  readonly #nodes = new Map<MessageId, NodeId>();

  get(id: MessageId): NodeId | undefined {
    return this.#nodes.get(id);
  }

  note(id: MessageId, node: NodeId): void {
    this.#nodes.set(id, node);
    if (this.#nodes.size <= MOST) return;
    for (const oldest of this.#nodes.keys()) if (this.#nodes.delete(oldest)) break;
  }
}
