import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { MeshError } from "../core/errors.ts";
import { readKeyIfThere, writePrivate } from "./files.ts";
import { identityFiles } from "./paths.ts";
import { type AgreementKey, agreementKey, createAgreementKey } from "./x25519.ts";

/**
 * The X25519 key of a data folder, with which a node reads what is sealed for it alone, made where there is none; without a folder a new one that is kept nowhere. It outlives the certificate, so
 * that what waits for the node can still be read. Rejects with CONFIG_INVALID where others than its owner may read the file, or it holds another
 * key.
 */
export async function openSealingKey(dataDir: string | undefined): Promise<AgreementKey> {
  if (dataDir === undefined) return createAgreementKey();
  const { sealingKey: path } = identityFiles(dataDir);
  const kept = (await readKeyIfThere(path)) ?? (await make(path));
  try {
    const key = createPrivateKey(kept);
    if (key.asymmetricKeyType === "x25519") return agreementKey(key);
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

function unusable(path: string, cause?: unknown): MeshError {
  return new MeshError("CONFIG_INVALID", `${path} holds no X25519 key: move it away, and a new one is made`, { cause, data: { path } });
}
