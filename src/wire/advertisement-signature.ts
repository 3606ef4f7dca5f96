import { concat, utf8 } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import { type AdvertisementLayout, SIGNATURE_MAX } from "./advertisement-layout.ts";

/** Before what is signed, so that a signature of a node's key made for anything else is none of an advertisement. */
const CONTEXT = utf8("receptor-mesh advertisement 1\n");

/** What the signature of an advertisement is made of; `raw` may be signed already. */
export function signedBytes(raw: Uint8Array, { bodyEnd }: Pick<AdvertisementLayout, "bodyEnd">): Uint8Array {
  return concat([CONTEXT, raw.subarray(0, bodyEnd)]);
}

/** The signature of an advertisement; empty where it has none. */
export function signatureOf(raw: Uint8Array, { bodyEnd }: Pick<AdvertisementLayout, "bodyEnd">): Uint8Array {
  return raw.subarray(bodyEnd);
}

/** Signs what `encodeAdvertisement` has made. `sign` returns at most SIGNATURE_MAX bytes. */
export function signAdvertisement(raw: Uint8Array, sign: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const signature = sign(signedBytes(raw, { bodyEnd: raw.length }));
  if (signature.length === 0 || signature.length > SIGNATURE_MAX)
    throw new MeshError("INTERNAL", `a signature of ${signature.length} bytes`);
  return concat([raw, signature]);
}
