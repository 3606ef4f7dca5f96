import { createHash, X509Certificate } from "node:crypto";
import { MeshError } from "../core/errors.ts";
import { isNodeId, type NodeId } from "../core/ids.ts";
import { type AltName, parseAltNames } from "./alt-names.ts";
import { type MeshId, parseNodeUri } from "./names.ts";
import type { IdentityRule } from "./rule.ts";

/** The first certificate of a PEM text. Throws CERTIFICATE_INVALID that names `what`. */
export function readCertificate(pem: string | Buffer, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new MeshError("CERTIFICATE_INVALID", `${what} is no certificate in PEM`, { cause });
  }
}

/** All certificates of a PEM text. Throws CERTIFICATE_INVALID that names `what`. */
export function readCertificates(pem: string | Buffer, what: string): readonly X509Certificate[] {
  const blocks = pem.toString().match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => readCertificate(block, what));
}

/** SHA-256 of the whole certificate. */
export function hashOfCertificate(certificate: X509Certificate): Uint8Array {
  return createHash("sha256").update(certificate.raw).digest();
}

/** SHA-256, in hexadecimal, of the public key as it stands in certificates. */
export function hashOfKey(certificate: X509Certificate): string {
  return createHash("sha256")
    .update(certificate.publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}

/** Whether `issuer` has signed the certificate. */
export function isIssued(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** When a certificate begins and ends: milliseconds since 1970. */
export function spanOf(certificate: X509Certificate): { readonly from: number; readonly until: number } {
  return { from: Date.parse(certificate.validFrom), until: Date.parse(certificate.validTo) };
}

/** The mesh and the node that a certificate of the mesh names. Throws CERTIFICATE_INVALID where it has another number of URIs than one. */
export function namesOf(certificate: X509Certificate): { readonly mesh: MeshId; readonly node: NodeId } {
  const uris = parseAltNames(certificate.subjectAltName).filter(({ type }) => type === "URI");
  const [first, second] = uris;
  if (second !== undefined) throw invalid("has more than one URI among its names, and may have one");
  const names = first === undefined ? undefined : parseNodeUri(first.value);
  if (names === undefined) throw invalid("names no node: it has no name mesh://MESH/node/ID; tls.identity can take other names");
  return names;
}

/** Reads certificates by one rule. */
export interface Identifier {
  /** The node that a certificate names; undefined where the rule is `none`. Throws CERTIFICATE_INVALID where it names none, or several. */
  nodeOf(certificate: X509Certificate): NodeId | undefined;
}

/** `own`: this node's certificate, whose mesh the others must name too. Throws CERTIFICATE_INVALID where it names none, and should. */
export function createIdentifier(rule: IdentityRule, own: X509Certificate | undefined): Identifier {
  if (rule.type === "none") return { nodeOf: () => undefined };
  if (rule.type !== "mesh") return { nodeOf: (certificate) => mapped(rule, certificate) };
  const mesh = own === undefined ? undefined : namesOf(own).mesh;
  return {
    nodeOf(certificate) {
      const names = namesOf(certificate);
      if (mesh !== undefined && names.mesh !== mesh) throw invalid(`is of the mesh ${names.mesh}, and this node's of ${mesh}`);
      return names.node;
    },
  };
}

function mapped(rule: Extract<IdentityRule, { readonly before: string }>, certificate: X509Certificate): NodeId {
  const { before, after } = rule;
  const found = new Set<string>();
  for (const name of candidates(rule.type, certificate)) {
    if (name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after))
      found.add(name.slice(before.length, name.length - after.length));
  }
  const [node, second] = found;
  const form = `${rule.type}:${before}{node}${after}`;
  if (second !== undefined) throw invalid(`has more than one name of the form ${form}`);
  if (!isNodeId(node)) throw invalid(`has no name of the form ${form} with a node id in it`);
  return node;
}

function candidates(type: "uri" | "dns" | "cn", certificate: X509Certificate): readonly string[] {
  if (type === "cn") return attribute(certificate, "CN");
  const wanted: AltName["type"] = type === "uri" ? "URI" : "DNS";
  return parseAltNames(certificate.subjectAltName)
    .filter((name) => name.type === wanted)
    .map(({ value }) => value);
}

/** The patterns of groups that the node may be a member of. */
export function groupPatternsOf(certificate: X509Certificate): readonly string[] {
  return attribute(certificate, "OU");
}

function attribute(certificate: X509Certificate, name: "CN" | "OU"): readonly string[] {
  const subject: unknown = certificate.toLegacyObject().subject;
  const value: unknown = typeof subject === "object" && subject !== null ? Reflect.get(subject, name) : undefined;
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

function invalid(what: string): MeshError {
  return new MeshError("CERTIFICATE_INVALID", `the certificate ${what}`);
}
