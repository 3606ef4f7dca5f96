import { setMaxListeners } from "node:events";
import { isMeshError } from "../../src/core/errors.ts";
import type { MeshNode } from "../../src/node/api.ts";

const PATIENCE = 120_000;

/** How long it takes from a node's return until it answers across the mesh. */
export class Returns {
  /** Milliseconds of each: of nodes whose lines were whole, and of those that had one that was not. */
  readonly whole: number[] = [];
  readonly hurt: number[] = [];
  readonly #from: MeshNode;
  readonly #stop = new AbortController();
  readonly #under = new Set<Promise<void>>();

  constructor(from: MeshNode) {
    this.#from = from;
    // Many wait at once, all for the same end.
    setMaxListeners(0, this.#stop.signal);
  }

  watch(id: string, whole: boolean): void {
    const promise = this.#watch(id, whole ? this.whole : this.hurt).finally(() => this.#under.delete(promise));
    this.#under.add(promise);
  }

  /** Ends those that have not answered. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#under);
  }

  async #watch(id: string, times: number[]): Promise<void> {
    const milliseconds = await answers(this.#from, id, PATIENCE, this.#stop.signal);
    if (milliseconds !== undefined) times.push(milliseconds);
  }
}

/** Milliseconds until a node answers a ping; undefined where it did not. */
export async function answers(
  from: MeshNode,
  id: string,
  limit: number,
  signal: AbortSignal = new AbortController().signal,
): Promise<number | undefined> {
  const began = performance.now();
  const options = { timeout: 1_000, signal };
  while (!signal.aborted && performance.now() - began < limit) {
    try {
      await from.reachable(id, options);
      await from.ping(id, options);
      return performance.now() - began;
    } catch (error) {
      if (!isMeshError(error)) throw error;
    }
  }
  return undefined;
}
