import { Readable } from "node:stream";
import type { MeshNode } from "../../../src/index.ts";
import { CHUNK, payload } from "./payload.ts";

const FAR = 1024 ** 4;

/** A bulk stream to the worker that goes on until it is stopped. */
export class EndlessStream {
  /** Handed to the mesh so far; at most its credit more than has arrived. */
  sent = 0;
  readonly #ended: Promise<number>;
  #stopped = false;

  constructor(node: MeshNode) {
    this.#ended = this.#run(node);
  }

  /** Throws where the worker has counted other than was sent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const arrived = await this.#ended;
    if (arrived !== this.sent) throw new Error(`${arrived} bytes of a stream arrived, of ${this.sent}`);
  }

  async #run(node: MeshNode): Promise<number> {
    const work = await node.send("worker", "bench:sink", Readable.from(this.#chunks(), { objectMode: false, highWaterMark: CHUNK }));
    for await (const response of work) return (response.json() as { readonly bytes: number }).bytes;
    return 0;
  }

  *#chunks(): Generator<Buffer> {
    for (const chunk of payload(FAR)) {
      if (this.#stopped) return;
      this.sent += chunk.length;
      yield chunk;
    }
  }
}
