import { constants, createPrivateKey, type KeyObject, sign, type SignKeyObjectInput, verify } from "node:crypto";
import { MeshError } from "../core/errors.ts";

/** The longest signature: that of an RSA key of 4,096 bits. */
const LONGEST = 512;

/** How a kind of key signs. */
interface Scheme {
  readonly digest: "sha256" | null;
  readonly options: Omit<SignKeyObjectInput, "key">;
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  ec: { digest: "sha256", options: { dsaEncoding: "ieee-p1363" } },
  ed25519: { digest: null, options: {} },
  ed448: { digest: null, options: {} },
  rsa: { digest: "sha256", options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } },
};

/** The key in a PEM text, for signatures. Throws CERTIFICATE_INVALID where it is none that signs what a node says of itself. */
export function readSigningKey(pem: string | Buffer, what: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new MeshError("CERTIFICATE_INVALID", `${what} is no private key in PEM`, { cause });
  }
  if (signs(key)) return key;
  throw new MeshError(
    "CERTIFICATE_INVALID",
    `${what} is of a kind that nodes do not sign with: use an EC, Ed25519 or RSA key of at most 4,096 bits`,
  );
}

/** Whether the key is of a kind that nodes sign with. */
export function signs({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): boolean {
  if (type === undefined || SCHEMES[type] === undefined) return false;
  return type !== "rsa" || (details?.modulusLength ?? Infinity) <= 8 * LONGEST;
}

/** At most 512 bytes. */
export function signWith(key: KeyObject, bytes: Uint8Array): Uint8Array {
  const { digest, options } = schemeOf(key);
  return new Uint8Array(sign(digest, bytes, { ...options, key }));
}

/** Whether the private half of `key` has signed `bytes`. */
export function isSignedWith(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  const { digest, options } = schemeOf(key);
  // RFC 8017, 8.1.2. OpenSSL takes an RSA signature also without the zeros that it begins with: then one text had two signatures.
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && signature.length !== Math.ceil(bits / 8)) return false;
  return verify(digest, bytes, { ...options, key }, signature);
}

function schemeOf({ asymmetricKeyType: type }: KeyObject): Scheme {
  const scheme = type === undefined ? undefined : SCHEMES[type];
  if (scheme === undefined) throw new MeshError("CERTIFICATE_INVALID", `a key of kind ${type} signs nothing`);
  return scheme;
}
