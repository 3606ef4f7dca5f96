import { isMeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { type Advertisement, type Credentials, decodeAdvertisement } from "../wire/advertisement.ts";
import type { AdvertisementLayout } from "../wire/advertisement-layout.ts";
import { signatureOf, signedBytes } from "../wire/advertisement-signature.ts";

/** What stands in an advertisement, for a judgement on whether its origin says so. */
export interface Claim extends Credentials {
  readonly node: NodeId;
  readonly ephemeral: boolean;
  readonly groups: readonly string[];
  /** What the signature is made of. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Why an advertisement proves nothing. unsigned: nothing is there to check, or it cannot be read. certificate: not one that this mesh's
 * authority has made for a node. node, group: for another node, or not for a group that is named. signature: not its key's, or not of these
 * bytes. revoked: by the list that this node has. time: not yet or no longer valid, by this node's clock.
 */
export type Forgery = "unsigned" | "certificate" | "node" | "group" | "signature" | "revoked" | "time";

/** Signs what this node says, and judges what others say, in a mesh with an authority. Both take the time of one signature. */
export interface Signatures {
  /** The same object for as long as nothing in it changes. */
  readonly credentials: Credentials;
  sign(bytes: Uint8Array): Uint8Array;
  /** Undefined: the claim is the node's own, and it may make it. */
  judge(claim: Claim): Forgery | undefined;
}

/** Judges a well-formed advertisement. */
export function judgeAdvertisement(signatures: Signatures, raw: Uint8Array, layout: AdvertisementLayout): Forgery | undefined {
  const signature = signatureOf(raw, layout);
  if (signature.length === 0) return "unsigned";
  const said = read(raw);
  if (said?.credentials === undefined) return "unsigned";
  const { node, ephemeral, groups, credentials } = said;
  return signatures.judge({ ...credentials, node, ephemeral, groups, signed: signedBytes(raw, layout), signature });
}

/**
 * Whether who passes such an advertisement on breaks the rules, since it should have checked it. Two nodes have two clocks, and one may have
 * heard of a revocation before the other.
 */
export function isFault(forgery: Forgery): boolean {
  return forgery !== "time" && forgery !== "revoked";
}

function read(raw: Uint8Array): Advertisement | undefined {
  try {
    return decodeAdvertisement(raw);
  } catch (error) {
    if (isMeshError(error)) return undefined;
    throw error;
  }
}
