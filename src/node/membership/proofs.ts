import type { X509Certificate } from "node:crypto";
import { NodeCiphers } from "../../identity/ciphers.ts";
import { openSealingKey } from "../../identity/sealing-key.ts";
import { Signatory, type Signing } from "../../identity/signatory.ts";
import { NodeSignatures } from "./signatures.ts";

/** With what a node that has a certificate signs, judges others, and seals. */
export interface Proofs {
  readonly signatory: Signatory;
  readonly signatures: NodeSignatures;
  readonly ciphers: NodeCiphers;
  /** What is shown of the key that others seal for. */
  readonly sealingKey: Uint8Array;
}

/** `dataDir`: where the key is kept that others seal for; without one it is new, and kept nowhere. Rejects as `openSealingKey` does. */
export async function openProofs(
  signing: Signing,
  dataDir: string | undefined,
  isRevoked: (certificate: X509Certificate) => boolean,
): Promise<Proofs> {
  const key = await openSealingKey(dataDir);
  const signatory = new Signatory(signing, { wallClock: Date.now, isRevoked });
  return {
    signatory,
    signatures: new NodeSignatures(signatory, key.shown),
    ciphers: new NodeCiphers(signatory, key),
    sealingKey: key.shown,
  };
}
