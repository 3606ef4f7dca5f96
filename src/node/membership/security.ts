import type { X509Certificate } from "node:crypto";
import type { NodeConfig, TlsConfig } from "../../config/node-config.ts";
import { MeshError } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import { groupPatternsOf, readCertificate, spanOf } from "../../identity/certificate.ts";
import { mayCallItself } from "../../identity/names.ts";
import { identityFiles } from "../../identity/paths.ts";
import { fits } from "../../identity/patterns.ts";
import type { Signing } from "../../identity/signatory.ts";
import type { Signer } from "../../identity/signer.ts";
import type { TlsOptions } from "../../transports/tls-options.ts";
import { formatMeshUrl, isLoopback, type MeshUrl } from "../../transports/url.ts";

/** What certificates give a node. */
export interface Security {
  readonly tls: TlsOptions;
  /** The id that this node's certificate names; undefined: it proves none. */
  readonly node: NodeId | undefined;
  /** This node's certificate. */
  readonly own?: X509Certificate;
  /** It is the one in the data folder, of a mesh. */
  readonly member: boolean;
  /** It may sign certificates of others. */
  readonly signer?: Signer;
  /** With what the node signs what it says of itself, and checks what others say; undefined where certificates name no nodes. */
  readonly signing?: Signing;
  /** What people should know, and mend in time. */
  readonly warnings: readonly string[];
}

/** What is said of a certificate that ends soon: when a third of its time is left. */
export function expiryWarning({ own }: Pick<Security, "own">, now: number): string | undefined {
  if (own === undefined) return undefined;
  const { from, until } = spanOf(own);
  if (now >= until) return `the certificate of this node has expired on ${own.validTo}: it makes no new links`;
  return until - now < (until - from) / 3 ? `the certificate of this node expires on ${own.validTo}` : undefined;
}

/** Whether the node goes by the certificate in its data folder. */
export function isMember({ dataDir, tls }: NodeConfig): boolean {
  return dataDir !== undefined && tls.cert === identityFiles(dataDir).certificate;
}

/** Throws CERTIFICATE_INVALID where the node may not call itself `id`, or be in its groups. */
export function checkOwnNames(security: Security, config: NodeConfig, id: NodeId, ephemeral: boolean): void {
  if (security.node === undefined) return;
  if (!mayCallItself(security.node, id, ephemeral)) {
    throw new MeshError(
      "CERTIFICATE_INVALID",
      `the certificate of this node is for "${security.node}", so it cannot call itself "${id}": leave out the id, or get a certificate for it`,
      { data: { node: id, certified: security.node } },
    );
  }
  if (!isMember(config) || security.tls.cert === undefined) return;
  const patterns = groupPatternsOf(readCertificate(security.tls.cert, nameOf(config, "cert")));
  const group = config.groups.find((name) => !fits(patterns, name));
  if (group !== undefined) {
    throw new MeshError(
      "CERTIFICATE_INVALID",
      `the certificate of this node does not let it be in the group "${group}": it may be in ${patterns.join(", ")}`,
    );
  }
}

/** Throws CONFIG_INVALID for a peer beyond this machine that a node with an identity would dial in plain text. */
export function checkPeer(url: MeshUrl, security: Security, insecure: boolean): void {
  if (security.node === undefined || insecure || url.scheme === "tls" || url.scheme === "wss" || url.scheme === "memory") return;
  if (isLoopback(url.host)) return;
  throw new MeshError(
    "CONFIG_INVALID",
    `the peer ${formatMeshUrl(url)} would be dialled in plain text, by a node that has a certificate: use tls:// or wss://, or --insecure`,
    { data: { url: formatMeshUrl(url) } },
  );
}

/** What is said of listeners that let in who has no certificate, where the node has one. */
export function plainWarnings(security: Security, urls: readonly MeshUrl[]): string[] {
  if (security.node === undefined) return [];
  return urls
    .filter(({ scheme }) => scheme === "tcp" || scheme === "ws")
    .map((url) => `${formatMeshUrl(url)} lets in programs without a certificate, under any id`);
}

/** What the file is called in messages. */
export function nameOf({ tls }: { readonly tls: TlsConfig }, name: "cert" | "key" | "ca"): string {
  return tls[name] ?? `tls.${name}`;
}
