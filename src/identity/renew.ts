import { createPrivateKey } from "node:crypto";
import { MeshError } from "../core/errors.ts";
import { namesOf, readCertificate } from "./certificate.ts";
import { decodeEnrolmentAnswer } from "./enrolment.ts";
import { readIfThere, readKeyIfThere, replaceFile, writePrivate } from "./files.ts";
import { identityFiles } from "./paths.ts";
import { checkSigned, install } from "./folder.ts";
import { encodeRenewalRequest } from "./renewal.ts";

/** A renewal that has begun: what to ask a signer, and what to do with its answer. */
export interface Renewal {
  readonly question: Uint8Array;
  /** Keeps the new certificate, in place of the present one. Rejects as the signer refused, or with CERTIFICATE_INVALID. */
  finish(answer: Uint8Array): Promise<void>;
}

/**
 * Begins to renew the certificate of a data folder. `newKey`: for a new key, which takes the place of the present one with the
 * certificate; one whose certificate was never got is used in any case. Rejects with CONFIG_INVALID where the folder has no certificate of
 * a mesh.
 */
export async function beginRenewal(dataDir: string, newKey: boolean): Promise<Renewal> {
  const files = identityFiles(dataDir);
  await settleKey(dataDir);
  const [pem, present, authority] = [
    await readIfThere(files.certificate),
    await readKeyIfThere(files.key),
    await readIfThere(files.authority),
  ];
  if (pem === undefined || present === undefined || authority === undefined)
    throw new MeshError("CONFIG_INVALID", `${dataDir} has no certificate of a mesh`, { data: { dataDir } });
  const certificate = readCertificate(pem, files.certificate);
  const { mesh, node } = namesOf(certificate);
  const { createKey, createRequest } = await import("./x509.ts");
  // A signer that has answered for the new key, and was not heard, signs for the present one no more.
  let next = await readKeyIfThere(files.nextKey);
  if (next === undefined && newKey) {
    next = await createKey();
    await writePrivate(files.nextKey, next);
  }
  return {
    question: encodeRenewalRequest({ certificate, request: await createRequest(next ?? present) }, present),
    async finish(answer) {
      const read = decodeEnrolmentAnswer(answer);
      if (read.type === "refused") throw new MeshError(read.code, read.message, { data: read.data });
      // A command may have changed the key meanwhile.
      const key = next ?? (await readKeyIfThere(files.key)) ?? present;
      checkSigned({ certificate: read.certificate, authority, key, mesh, node });
      await install(dataDir, read.certificate, authority);
      // A node that runs here may have seen the new certificate, and been first.
      if (next !== undefined) await replaceFile(files.nextKey, files.key);
    },
  };
}

/** Ends a change of keys that was cut short after its certificate was there. Rejects with CONFIG_INVALID. */
export async function settleKey(dataDir: string): Promise<void> {
  const files = identityFiles(dataDir);
  const next = await readKeyIfThere(files.nextKey);
  const pem = next === undefined ? undefined : await readIfThere(files.certificate);
  if (next === undefined || pem === undefined) return;
  if (readCertificate(pem, files.certificate).checkPrivateKey(createPrivateKey(next))) await replaceFile(files.nextKey, files.key);
}
