// For what it changes: a polyfill that @peculiar/x509 expects.
import "reflect-metadata";
import { createHash, webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  AuthorityKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { formatNodeUri, type MeshId } from "./names.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** X.509's own bound for such a name. */
const COMMON_NAME = 64;

/** A certificate and its private key, in PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

cryptoProvider.set(webcrypto);

/** A new ECDSA P-256 key, as PKCS #8 in PEM. */
export async function createKey(): Promise<string> {
  const { privateKey } = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", privateKey), PemConverter.PrivateKeyTag);
}

/** The authority of a new mesh: it may sign nodes, and no other authority. */
export async function createAuthority(mesh: MeshId, validity: Validity): Promise<KeyPair> {
  const key = await createKey();
  const keys = await importKeys(key);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [`receptor mesh ${mesh}`] }],
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(validity.from),
    notAfter: new Date(validity.to),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), key };
}

/** A signing request (PKCS #10, DER) that proves the possession of `key`. Its names do not count: the signer writes them. */
export async function createRequest(key: string): Promise<Uint8Array> {
  const request = await Pkcs10CertificateRequestGenerator.create({ keys: await importKeys(key), signingAlgorithm: ALGORITHM });
  return new Uint8Array(request.rawData);
}

export interface NodeCertificate {
  readonly mesh: MeshId;
  readonly node: NodeId;
  /** Patterns of the groups that the node may be a member of. */
  readonly groups: readonly string[];
  readonly validity: Validity;
}

/** Signs a certificate for the key in `request`. Throws CERTIFICATE_INVALID where the request is not of the form that it must have. */
export async function signNode(authority: KeyPair, request: Uint8Array, names: NodeCertificate): Promise<string> {
  return await issue(authority, await publicKeyOf(request), names);
}

async function issue(authority: KeyPair, publicKey: PublicKey, { mesh, node, groups, validity }: NodeCertificate): Promise<string> {
  const issuer = new X509Certificate(authority.certificate);
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [node.slice(0, COMMON_NAME)] }, ...groups.map((group) => ({ OU: [group] }))],
    issuer: issuer.subject,
    notBefore: new Date(validity.from),
    notAfter: new Date(Math.min(validity.to, issuer.notAfter.getTime())),
    signingAlgorithm: ALGORITHM,
    publicKey,
    signingKey: await importPrivate(authority.key),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: "url", value: formatNodeUri(mesh, node) }]),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return pem(certificate);
}

/** What `hashOfKey` gives for the certificate that the request asks for. Throws CERTIFICATE_INVALID as `signNode` does. */
export async function requestKeyHash(request: Uint8Array): Promise<string> {
  const key = await (await publicKeyOf(request)).export();
  return createHash("sha256")
    .update(new Uint8Array(await webcrypto.subtle.exportKey("spki", key)))
    .digest("hex");
}

/** The key of a request whose signature is right; ECDSA P-256 alone. */
async function publicKeyOf(der: Uint8Array): Promise<PublicKey> {
  let request: Pkcs10CertificateRequest;
  try {
    request = new Pkcs10CertificateRequest(new Uint8Array(der));
    const { name, namedCurve } = { namedCurve: "", ...request.publicKey.algorithm };
    if (name === ALGORITHM.name && namedCurve === ALGORITHM.namedCurve && (await request.verify())) return request.publicKey;
  } catch (cause) {
    throw badRequest(cause);
  }
  throw badRequest();
}

function badRequest(cause?: unknown): MeshError {
  return new MeshError("CERTIFICATE_INVALID", "the signing request is no PKCS #10 request that an ECDSA P-256 key has signed", { cause });
}

async function importPrivate(key: string): Promise<webcrypto.CryptoKey> {
  try {
    return await webcrypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(key), ALGORITHM, true, ["sign"]);
  } catch (cause) {
    throw new MeshError("CERTIFICATE_INVALID", "the private key is no ECDSA P-256 key as PKCS #8 in PEM", { cause });
  }
}

/** Both halves, out of the private one. */
async function importKeys(key: string): Promise<webcrypto.CryptoKeyPair> {
  const privateKey = await importPrivate(key);
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey("jwk", privateKey);
  const half = { ...(kty && { kty }), ...(crv && { crv }), ...(x && { x }), ...(y && { y }) };
  const publicKey = await webcrypto.subtle.importKey("jwk", half, ALGORITHM, true, ["verify"]);
  return { privateKey, publicKey };
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}
