import { createPrivateKey, sign, verify, X509Certificate } from "node:crypto";
import { fromUtf8, utf8 } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { isIssued } from "./certificate.ts";

/** What the present key signs in a request, so that nothing that it signs elsewhere is one. */
const PURPOSE = "receptor-renew/1\n";
const BASE64URL = /^[A-Za-z0-9_-]+$/;

/**
 * What a member asks a signer for: a new certificate in the place of its present one. Whoever carries it can do nothing with it but carry
 * it: the answer is of use to who has the keys alone.
 */
export interface RenewalRequest {
  /** The present one. */
  readonly certificate: X509Certificate;
  /** PKCS #10, DER, of the same key or a new one. */
  readonly request: Uint8Array;
}

/** `key`: the private key of the present certificate, in PEM. */
export function encodeRenewalRequest({ certificate, request }: RenewalRequest, key: string): Uint8Array {
  const fields = { certificate: base64url(certificate.raw), request: base64url(request) };
  const signature = sign("sha256", signedPart(fields), createPrivateKey(key));
  const bytes = utf8(JSON.stringify({ ...fields, signature: base64url(signature) }));
  if (bytes.length > LIMITS.renewal)
    throw new MeshError("TOO_LARGE", `a request to renew of ${bytes.length} bytes is over the limit of ${LIMITS.renewal}`);
  return bytes;
}

/**
 * A request whose certificate `authority` has issued and whose key has signed it. Throws PROTOCOL_ERROR or CERTIFICATE_INVALID; `bytes`
 * are anybody's.
 */
export function decodeRenewalRequest(bytes: Uint8Array, authority: X509Certificate): RenewalRequest {
  if (bytes.length > LIMITS.renewal) throw malformed();
  const { certificate, request, signature } = fieldsOf(bytes);
  let present: X509Certificate;
  try {
    present = new X509Certificate(bytesOf(certificate));
  } catch (cause) {
    throw malformed(cause);
  }
  // Before its key is used: the keys that the authority signs are of one kind.
  if (!isIssued(present, authority)) throw new MeshError("CERTIFICATE_INVALID", "the present certificate is of another authority");
  if (!verify("sha256", signedPart({ certificate, request }), present.publicKey, bytesOf(signature))) throw malformed();
  return { certificate: present, request: bytesOf(request) };
}

interface Fields {
  readonly certificate: string;
  readonly request: string;
}

function signedPart({ certificate, request }: Fields): Uint8Array {
  return utf8(`${PURPOSE}${certificate}\n${request}\n`);
}

function fieldsOf(bytes: Uint8Array): Fields & { readonly signature: string } {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes) ?? "");
  } catch (cause) {
    throw malformed(cause);
  }
  const { certificate, request, signature }: Record<string, unknown> = typeof value === "object" && value !== null ? { ...value } : {};
  if (isText(certificate) && isText(request) && isText(signature)) return { certificate, request, signature };
  throw malformed();
}

function isText(value: unknown): value is string {
  return typeof value === "string" && BASE64URL.test(value);
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"));
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function malformed(cause?: unknown): MeshError {
  return new MeshError("PROTOCOL_ERROR", "a request to renew a certificate that is not of the form that it must have", { cause });
}
