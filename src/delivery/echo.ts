import type { MessageId, NodeId } from "../core/ids.ts";
import { LIMITS } from "../core/limits.ts";
import { hashNodeId, type NodeHash } from "../core/node-hash.ts";
import { Fields } from "../wire/check.ts";
import { decode, encode } from "../wire/codec.ts";
import { FRAME, OFFSET } from "../wire/frame.ts";
import { layFrame } from "../wire/message.ts";
import type { Frames } from "./frames.ts";

/** What a node says of itself when it is pinged. */
export interface EchoFacts {
  readonly version: string;
  readonly running: number;
  readonly queued: number;
}

export interface EchoReply extends EchoFacts {
  readonly node: NodeId;
  /** Links that the question crossed. */
  readonly hops: number;
}

/** Questions and answers of ping and trace. */
export class Echo {
  readonly #self: NodeId;
  readonly #frames: Frames;
  readonly #facts: () => EchoFacts;

  constructor(self: NodeId, frames: Frames, facts: () => EchoFacts) {
    this.#self = self;
    this.#frames = frames;
    this.#facts = facts;
  }

  /**
   * Asks `node`, or, with `reach`, the node that is so many links away on the way there. The hop count starts so high that the
   * hop limit is met there.
   */
  ask(id: MessageId, node: NodeId, reach?: number): boolean {
    const frame = layFrame();
    this.#frames.address(frame, { kind: FRAME.echo, to: hashNodeId(node), id });
    if (reach !== undefined) frame[OFFSET.hops] = LIMITS.hops + 1 - reach;
    return this.#frames.transmit(frame);
  }

  /** Answers a question that ended here, whether it was for this node or met its hop limit. */
  answer(id: MessageId, to: NodeHash, hops: number): void {
    const { version, running, queued } = this.#facts();
    this.#frames.send({ kind: FRAME.echoReply, to, id }, encode({ n: this.#self, v: version, r: running, q: queued, h: hops }));
  }

  read(body: Uint8Array): EchoReply {
    const fields = new Fields(decode(body), "an answer to a ping");
    return {
      node: fields.nodeId("n"),
      version: fields.string("v", 64),
      running: fields.integer("r"),
      queued: fields.integer("q"),
      hops: fields.integer("h", 0, 255),
    };
  }
}
