import { X509Certificate } from "node:crypto";
import { nodeId } from "../../src/core/ids.ts";
import { createIdentifier } from "../../src/identity/certificate.ts";
import { isMeshId, type MeshId } from "../../src/identity/names.ts";
import type { Signing } from "../../src/identity/signatory.ts";
import { readSigningKey } from "../../src/identity/signing-key.ts";
import { createKey, createRequest, type KeyPair, signNode } from "../../src/identity/x509.ts";

const DAY = 86_400_000;

export function meshOf(text: string): MeshId {
  if (!isMeshId(text)) throw new TypeError(text);
  return text;
}

export interface SigningOptions {
  readonly mesh: MeshId;
  /** Who makes the certificate. */
  readonly issuer: KeyPair;
  /** Whom the node trusts; the issuer by default. */
  readonly trusts?: KeyPair | undefined;
  /** Any by default. */
  readonly groups?: readonly string[] | undefined;
  /** Days from now that the certificate, which began 30 days ago, lasts; 30 by default. */
  readonly days?: number | undefined;
}

/** A node's new key, with a certificate that it was made by no signer but here. */
export async function signingOf(
  node: string,
  { mesh, issuer, trusts = issuer, groups = ["*"], days = 30 }: SigningOptions,
): Promise<Signing> {
  const key = await createKey();
  const now = Date.now();
  const validity = { from: now - 30 * DAY, to: now + days * DAY };
  const certificate = new X509Certificate(await signNode(issuer, await createRequest(key), { mesh, node: nodeId(node), groups, validity }));
  return {
    certificate,
    key: readSigningKey(key, "key"),
    authorities: [new X509Certificate(trusts.certificate)],
    identifier: createIdentifier({ type: "mesh" }, certificate),
  };
}
