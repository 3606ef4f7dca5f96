import { createPrivateKey, type X509Certificate } from "node:crypto";
import type { NodeConfig } from "../../config/node-config.ts";
import { MeshError } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Logger } from "../../core/log.ts";
import { createIdentifier, type Identifier, readCertificate, readCertificates } from "../../identity/certificate.ts";
import { ENROLMENT } from "../../identity/enrolment.ts";
import { checkPrivate } from "../../identity/files.ts";
import { openSigner } from "../../identity/folder.ts";
import { issuerOf } from "../../identity/holders.ts";
import { identityFiles } from "../../identity/paths.ts";
import { parseIdentityRule } from "../../identity/rule.ts";
import type { Signing } from "../../identity/signatory.ts";
import type { Signer } from "../../identity/signer.ts";
import { readSigningKey } from "../../identity/signing-key.ts";
import { readSigning } from "../../identity/signing.ts";
import type { Asks, TlsOptions } from "../../transports/tls-options.ts";
import { isMember, nameOf, type Security } from "./security.ts";

/** What the configuration names, read. */
export interface Pems {
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly ca: Buffer;
}

/** For `openSecurity`, where there are certificates that name nodes: tries them. */
export async function secured(config: NodeConfig, log: Logger, { cert, key, ca }: Pems, member: boolean): Promise<Security> {
  const own = cert === undefined ? undefined : readCertificate(cert, nameOf(config, "cert"));
  const rule = parseIdentityRule(config.tls.identity ?? "mesh");
  const identifier = createIdentifier(rule, own);
  const signer = await openOwnSigner(config, log);
  const tls: TlsOptions = {
    ...(cert && { cert }),
    ...(key && { key }),
    ca,
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
