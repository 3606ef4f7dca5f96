import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from "node:crypto";

/** Bytes of a public key, and of what two agree on. */
const LENGTH = 32;

/** A key to agree with others by. */
export interface AgreementKey {
  readonly key: KeyObject;
  /** The other half, 32 bytes, for everybody. */
  readonly shown: Uint8Array;
}

/** A new one, kept nowhere. */
export function createAgreementKey(): AgreementKey {
  return agreementKey(generateKeyPairSync("x25519").privateKey);
}

/** Of the private half. */
export function agreementKey(key: KeyObject): AgreementKey {
  // JWK here and below: the same by DER takes eight times as long.
  const { x = "" } = createPublicKey(key).export({ format: "jwk" });
  return { key, shown: new Uint8Array(Buffer.from(x, "base64url")) };
}

/**
 * What `key` and who has the private half of `shown` agree on, 32 bytes. Undefined: `shown` is no key, or one with which everybody agrees on
 * the same.
 */
export function agree(key: KeyObject, shown: Uint8Array): Uint8Array | undefined {
  if (shown.length !== LENGTH) return undefined;
  const x = Buffer.from(shown.buffer, shown.byteOffset, LENGTH).toString("base64url");
  const agreed = derive(key, createPublicKey({ key: { kty: "OKP", crv: "X25519", x }, format: "jwk" }));
  // RFC 9180, 7.1.4. That OpenSSL does so too is promised nowhere.
  return agreed?.some((byte) => byte !== 0) === true ? agreed : undefined;
}

/** Undefined where OpenSSL refuses, which it does for points of low order. */
function derive(privateKey: KeyObject, publicKey: KeyObject): Uint8Array | undefined {
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch {
    return undefined;
  }
}
