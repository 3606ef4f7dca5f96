import type { NodeId } from "../../src/core/ids.ts";
import { mayCallItself } from "../../src/identity/names.ts";
import type { Claim, Signatures } from "../../src/routing/proof.ts";
import { type Advertisement, type Credentials, decodeAdvertisement } from "../../src/wire/advertisement.ts";
import { signedBytes } from "../../src/wire/advertisement-signature.ts";
import { fromUtf8, utf8 } from "../../src/core/bytes.ts";

const CONTEXT = signedBytes(new Uint8Array(0), { bodyEnd: 0 }).length;

/** Lives that a node may have begun without a word, at the most. */
const LIVES = 100;

/** What a signature of a simulated node shows. */
export type SimClaim = Pick<Claim, "node" | "ephemeral" | "certificate" | "signed" | "signature">;
type SimForgery = "certificate" | "node" | "signature";

/**
 * The authority of a simulated mesh. Its signatures cost next to nothing, and nobody guesses them: hashes over a secret of their owner. It
 * keeps a record of all that honest nodes have ever said.
 */
export class SimAuthority {
  /** I8: nodes that believed what was said in their own names. */
  readonly leaps: string[] = [];
  readonly #said = new Set<string>();
  readonly #epochs = new Map<NodeId, number>();

  signaturesOf(id: NodeId): Signatures {
    const credentials = this.credentialsOf(id);
    return {
      credentials,
      sign: (bytes) => {
        const advertisement = decodeAdvertisement(bytes.subarray(CONTEXT));
        this.#said.add(textOf(advertisement));
        this.#spoke(id, advertisement.epoch);
        return this.signatureOf(id, bytes);
      },
      judge: (claim) => this.judge(claim),
    };
  }

  /** What everybody knows of a node. */
  credentialsOf(id: NodeId): Credentials {
    return { certificate: utf8(`${id} ${hash("authority", utf8(id))}`), sealingKey: digest("sealing key", utf8(id)) };
  }

  /** What only that node can make. */
  signatureOf(id: NodeId, bytes: Uint8Array): Uint8Array {
    return utf8(hash(`secret of ${id}`, bytes));
  }

  /** Whether a node has ever said so of itself. */
  hasSaid(advertisement: Advertisement): boolean {
    return this.#said.has(textOf(advertisement));
  }

  /** Undefined: the node has signed it. */
  judge({ node, ephemeral, certificate, signed, signature }: SimClaim): SimForgery | undefined {
    const [holder = "", proof] = (fromUtf8(certificate) ?? "").split(" ");
    if (proof !== hash("authority", utf8(holder))) return "certificate";
    if (!mayCallItself(holder as NodeId, node, ephemeral)) return "node";
    return fromUtf8(signature) === hash(`secret of ${holder}`, signed) ? undefined : "signature";
  }

  /** A node takes its name back from a former life, which was not long ago, and not from what a liar has said in it. */
  #spoke(id: NodeId, epoch: number): void {
    const before = this.#epochs.get(id) ?? 0;
    if (epoch > before + LIVES) this.leaps.push(`${id} takes its name back at ${epoch}, and has said ${before}`);
    this.#epochs.set(id, Math.max(epoch, before));
  }
}

function textOf(advertisement: Advertisement): string {
  return JSON.stringify({ ...advertisement, credentials: undefined });
}

/** FNV-1a, twice, over the secret and then the bytes. */
function hash(secret: string, bytes: Uint8Array): string {
  let [a, b] = [0x811c9dc5, 0x01234567];
  for (const part of [utf8(secret), bytes]) {
    for (const byte of part) {
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul(b ^ byte ^ (a >>> 24), 0x01000193);
    }
  }
  return (a >>> 0).toString(16) + (b >>> 0).toString(16);
}

/** 32 bytes that depend on every bit of the secret and the parts. */
export function digest(secret: string, ...parts: readonly (Uint8Array | Uint32Array)[]): Uint8Array {
  let [a, b] = [0x811c9dc5, 0x01234567];
  for (const part of [utf8(secret), ...parts]) {
    const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    for (let i = 0; i < bytes.length; i++) {
      a = Math.imul(a ^ (bytes[i] as number), 0x01000193);
      b = Math.imul(b ^ (bytes[i] as number) ^ (a >>> 24), 0x01000193);
    }
    a = Math.imul(a ^ bytes.length, 0x01000193);
  }
  const view = new DataView(new ArrayBuffer(32));
  for (let i = 0; i < 32; i += 4) {
    a = Math.imul(a ^ (b >>> 13) ^ i, 0x85ebca6b);
    b = Math.imul(b ^ (a >>> 16), 0xc2b2ae35);
    view.setUint32(i, (a ^ b) >>> 0);
  }
  return new Uint8Array(view.buffer);
}
