import { createPrivateKey, type X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { NodeConfig, TlsConfig } from "../../config/node-config.ts";
import { MeshError } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Logger } from "../../core/log.ts";
import {
  createIdentifier,
  groupPatternsOf,
  type Identifier,
  readCertificate,
  readCertificates,
  spanOf,
} from "../../identity/certificate.ts";
import { ENROLMENT } from "../../identity/enrolment.ts";
import { checkPrivate } from "../../identity/files.ts";
import { identityFiles } from "../../identity/paths.ts";
import { openSigner } from "../../identity/folder.ts";
import { issuerOf } from "../../identity/holders.ts";
import { mayCallItself } from "../../identity/names.ts";
import { fits } from "../../identity/patterns.ts";
import { settleKey } from "../../identity/renew.ts";
import { parseIdentityRule } from "../../identity/rule.ts";
import { readSigningKey } from "../../identity/signing-key.ts";
import type { Signer } from "../../identity/signer.ts";
import type { Signing } from "../../identity/signatory.ts";
import { readSigning } from "../../identity/signing.ts";
import type { Asks, TlsOptions } from "../../transports/tls-options.ts";
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

/**
 * Reads the certificates that the configuration names and tries them. Rejects with CONFIG_INVALID, or CERTIFICATE_INVALID where this
 * node's own is no good.
 */
export async function openSecurity(config: NodeConfig, log: Logger): Promise<Security> {
  const member = isMember(config);
  if (member && config.dataDir !== undefined) await settleKey(config.dataDir);
  // One after another, so that of several that are missing the same one is named each time.
  const cert = await read(config, "cert");
  const key = await read(config, "key");
  const ca = await read(config, "ca");
  const files = { ...(cert && { cert }), ...(key && { key }), ...(ca && { ca }) };
  const { identity } = config.tls;
  if (ca === undefined) {
    if (identity !== undefined)
      throw new MeshError("CONFIG_INVALID", "tls.identity needs tls.ca: without one nobody has to show a certificate");
    return { tls: files, node: undefined, member, warnings: [] };
  }
  const own = cert === undefined ? undefined : readCertificate(cert, nameOf(config, "cert"));
  if (own === undefined && identity === undefined) return { tls: files, node: undefined, member, warnings: [] };
  const rule = parseIdentityRule(identity ?? "mesh");
  const identifier = createIdentifier(rule, own);
  const signer = await openOwnSigner(config, log);
  const tls: TlsOptions = {
    ...files,
    nodeOf: (certificate) => identifier.nodeOf(certificate),
    // Members of a mesh have ids; what the host is called that one of them runs on does not count.
    ...(rule.type === "mesh" || rule.type === "uri" ? { verifyHost: false } : {}),
    ...(signer === undefined ? {} : { asks: asksOf(signer) }),
  };
  if (own === undefined) return { tls, node: undefined, member, warnings: [] };
  const node = ownNode(own, key, identifier, config);
  return {
    tls,
    node,
    ...(node !== undefined && key !== undefined && { signing: signingOf(own, key, ca, identifier, config) }),
    own,
    member,
    ...(signer === undefined ? {} : { signer }),
    warnings: await warningsOf(config),
  };
}

function ownNode(own: X509Certificate, key: Buffer | undefined, identifier: Identifier, config: NodeConfig): NodeId | undefined {
  const path = nameOf(config, "cert");
  if (key !== undefined && !own.checkPrivateKey(createPrivateKey(key)))
    throw new MeshError("CERTIFICATE_INVALID", `${path} is not for the key in ${nameOf(config, "key")}`);
  if (Date.now() > Date.parse(own.validTo)) {
    throw new MeshError(
      "CERTIFICATE_INVALID",
      `${path} has expired on ${own.validTo}: get a new one, with a join token or from its authority`,
    );
  }
  try {
    return identifier.nodeOf(own);
  } catch (cause) {
    const why = cause instanceof MeshError ? cause.message.replace(/^the certificate /, "") : String(cause);
    throw new MeshError("CERTIFICATE_INVALID", `this node's own certificate, ${path}, ${why}`, { cause });
  }
}

function signingOf(own: X509Certificate, key: Buffer, ca: Buffer, identifier: Identifier, config: NodeConfig): Signing {
  const [path, trusted] = [nameOf(config, "cert"), nameOf(config, "ca")];
  const authorities = readCertificates(ca, trusted);
  if (issuerOf(own, authorities) === undefined) {
    throw new MeshError(
      "CERTIFICATE_INVALID",
      `${path} is not signed by an authority in ${trusted}: put the one that signed it there, at every node, also where it is an intermediate one`,
    );
  }
  if (own.raw.length > LIMITS.certificate)
    throw new MeshError("CERTIFICATE_INVALID", `${path} has ${own.raw.length} bytes, and at most ${LIMITS.certificate} are taken`);
  return { certificate: own, key: readSigningKey(key, nameOf(config, "key")), authorities, identifier };
}

async function warningsOf(config: NodeConfig): Promise<string[]> {
  const warnings: string[] = [];
  const { key } = config.tls;
  if (key !== undefined && !isMember(config)) {
    await checkPrivate(key).catch((error: unknown) => {
      if (error instanceof MeshError) warnings.push(error.message);
    });
  }
  return warnings;
}

/** What is said of a certificate that ends soon: when a third of its time is left. */
export function expiryWarning({ own }: Pick<Security, "own">, now: number): string | undefined {
  if (own === undefined) return undefined;
  const { from, until } = spanOf(own);
  if (now >= until) return `the certificate of this node has expired on ${own.validTo}: it makes no new links`;
  return until - now < (until - from) / 3 ? `the certificate of this node expires on ${own.validTo}` : undefined;
}

/** Where the data folder has the authority's key, and the node is to sign. */
async function openOwnSigner(config: NodeConfig, log: Logger): Promise<Signer | undefined> {
  if (config.dataDir === undefined || !isMember(config)) return undefined;
  const files = identityFiles(config.dataDir);
  await checkPrivate(files.key);
  const signs = config.mesh.sign ?? (await readSigning(files.signing)).online;
  return signs ? await openSigner(config.dataDir, log) : undefined;
}

/** Lets machines in. */
function asksOf(signer: Signer): Asks {
  return { protocol: ENROLMENT, limit: LIMITS.enrolment, answer: (question, host) => signer.answer(question, host) };
}

/** Whether the node goes by the certificate in its data folder. */
function isMember({ dataDir, tls }: NodeConfig): boolean {
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

async function read(config: NodeConfig, name: "cert" | "key" | "ca"): Promise<Buffer | undefined> {
  const path = config.tls[name];
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", `tls.${name}: ${path} cannot be read`, { cause });
  }
}

function nameOf({ tls }: { readonly tls: TlsConfig }, name: "cert" | "key" | "ca"): string {
  return tls[name] ?? `tls.${name}`;
}
