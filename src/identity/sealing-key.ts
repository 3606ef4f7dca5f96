import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { MeshError } from "../core/errors.ts";
import { identityFiles, readKeyIfThere, writePrivate } from "./files.ts";

/** SubjectPublicKeyInfo of an X25519 key, up to the key itself (RFC 8410). */
const SPKI_PREFIX = 12;

/** With which a node reads what is sealed for it alone. */
export interface SealingKey {
  readonly key: KeyObject;
  /** The other half, 32 bytes, for everybody. */
  readonly shown: Uint8Array;
}

/**
 * The X25519 key of a data folder, made where there is none; without a folder a new one that is kept nowhere. It outlives the certificate, so
 * that what waits for the node can still be read. Rejects with CONFIG_INVALID where others than its owner may read the file, or it holds another
 * key.
 */
export async function openSealingKey(dataDir: string | undefined): Promise<SealingKey> {
  if (dataDir === undefined) return sealingKey(generateKeyPairSync("x25519").privateKey);
  const { sealingKey: path } = identityFiles(dataDir);
  const kept = (await readKeyIfThere(path)) ?? (await make(path));
  try {
    const key = createPrivateKey(kept);
    if (key.asymmetricKeyType === "x25519") return sealingKey(key);
  } catch (cause) {
    throw unusable(path, cause);
  }
  throw unusable(path);
}

async function make(path: string): Promise<string> {
  const pem = generateKeyPairSync("x25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  await writePrivate(path, pem);
  return pem;
}

function sealingKey(key: KeyObject): SealingKey {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  return { key, shown: new Uint8Array(spki.subarray(SPKI_PREFIX)) };
}

function unusable(path: string, cause?: unknown): MeshError {
  return new MeshError("CONFIG_INVALID", `${path} holds no X25519 key: move it away, and a new one is made`, { cause, data: { path } });
}
