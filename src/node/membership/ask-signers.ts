import { MeshError, toMeshError } from "../../core/errors.ts";
import type { Renewal } from "../../identity/renew.ts";
import { boundedSignal } from "../../transports/bounded-signal.ts";
import type { MeshNode, NodeStatus } from "../api.ts";

/** What a node that signs advertises, and its members ask it for. */
export const RENEW = { plugin: "mesh", action: "renew" } as const;

/** Signers that are asked, the nearest first. */
const ASKED = 5;
/** Milliseconds that one of them has. */
const ANSWER = 10_000;
const LOOK_AGAIN = 100;

export interface AskSigners {
  readonly signal: AbortSignal;
  /** Milliseconds to wait until a signer can be reached at all: a node that has just started knows of none yet. */
  readonly wait: number;
  sleep(milliseconds: number): Promise<void>;
}

/**
 * Has a signer of the mesh renew a certificate, over the links of `node`, and keeps it; resolves to who signed. What one refuses another is
 * asked for. Rejects with NO_ROUTE where none can be reached, else as the last of them failed.
 */
export async function askSigners(node: MeshNode, renewal: Renewal, { signal, wait, sleep }: AskSigners): Promise<string> {
  for (let waited = 0; signersOf(node).length === 0 && waited < wait && !signal.aborted; waited += LOOK_AGAIN) await sleep(LOOK_AGAIN);
  let last = new MeshError("NO_ROUTE", "no node that signs certificates can be reached");
  for (const signer of signersOf(node).slice(0, ASKED)) {
    try {
      await renewal.finish(await ask(node, signer, renewal.question, signal));
      return signer;
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message, data } = toMeshError(error);
      last = new MeshError(code, `"${signer}": ${message}`, { data, cause: error });
    }
  }
  throw last;
}

function signersOf(node: MeshNode): readonly string[] {
  const signs = ({ plugins, reachable }: NodeStatus): boolean =>
    reachable && plugins.some(({ name, actions }) => name === RENEW.plugin && actions.includes(RENEW.action));
  return node
    .status()
    .nodes.filter(signs)
    .toSorted((a, b) => (a.cost ?? 0) - (b.cost ?? 0))
    .map(({ id }) => id);
}

async function ask(node: MeshNode, signer: string, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  const { signal: bound, release } = boundedSignal(signal, ANSWER);
  try {
    const work = await node.send(signer, `${RENEW.plugin}:${RENEW.action}`, question, { ttl: ANSWER, signal: bound });
    let answer: Uint8Array | undefined;
    for await (const response of work) answer ??= response.bytes();
    await work.result({ signal: bound });
    if (answer === undefined) throw new MeshError("PROTOCOL_ERROR", "it answered nothing");
    return answer;
  } finally {
    release();
  }
}
