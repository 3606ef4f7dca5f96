import { createPrivateKey, type X509Certificate } from "node:crypto";
import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import { groupPatternsOf, namesOf, readCertificate } from "./certificate.ts";
import { readDenyList, writeDenyList } from "./deny-file.ts";
import { DenyList } from "./deny-list.ts";
import { readIfThere, readKeyIfThere, replaceFile, writePrivate } from "./files.ts";
import { identityFiles } from "./paths.ts";
import { checkSigned, install, meshOf, openSigner, ownKey, readIdentity } from "./folder.ts";
import type { CertificateRequest } from "./request-file.ts";

/**
 * What the node of a data folder asks its authority for: for its present key, or a new one, which takes that one's place when the
 * certificate is installed. `wanted`: patterns of groups; undefined: those of the certificate that it has. Rejects with CONFIG_INVALID.
 */
export async function requestCertificate(
  dataDir: string,
  node: NodeId,
  wanted: readonly string[] | undefined,
  newKey: boolean,
): Promise<CertificateRequest> {
  const files = identityFiles(dataDir);
  const had = await readIdentity(dataDir);
  const { createKey, createRequest } = await import("./x509.ts");
  let key = await readKeyIfThere(files.nextKey);
  if (key === undefined && newKey) {
    key = await createKey();
    await writePrivate(files.nextKey, key);
  }
  const groups = wanted ?? (had === undefined ? [] : groupPatternsOf(had.certificate));
  return { node, groups, request: await createRequest(key ?? (await ownKey(dataDir))) };
}

/**
 * Signs a request by the authority in the data folder: its certificate, and the authority's after it, in PEM. `replace`: also for an id
 * that another key has. Rejects with CONFIG_INVALID where the folder has no key, and as `Signer.sign`.
 */
export async function signRequest(dataDir: string, request: CertificateRequest, replace: boolean, log: Logger): Promise<string> {
  const signer = await openSigner(dataDir, log);
  const authority = await readIfThere(identityFiles(dataDir).authority);
  if (signer === undefined || authority === undefined)
    throw new MeshError("CONFIG_INVALID", `${dataDir} has no key of an authority, so nothing is signed there`, { data: { dataDir } });
  return `${(await signer.sign(request, replace)).trim()}\n${authority.trim()}\n`;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * Keeps what `signRequest` has made for the node of a data folder. One that belongs to no mesh yet believes the authority in `pem`. Rejects
 * with CERTIFICATE_INVALID, and keeps nothing, where it is for another key, node or mesh.
 */
export async function installSigned(dataDir: string, pem: string): Promise<X509Certificate> {
  const files = identityFiles(dataDir);
  const [certificate, shown, ...rest] = pem.match(BLOCK) ?? [];
  if (certificate === undefined || shown === undefined || rest.length > 0)
    throw new MeshError("CERTIFICATE_INVALID", "a certificate to install comes with its authority's, and with no other");
  const authority = (await readIfThere(files.authority)) ?? `${shown}\n`;
  if (readCertificate(authority, files.authority).fingerprint256 !== readCertificate(shown, "the authority").fingerprint256)
    throw new MeshError("CERTIFICATE_INVALID", `the certificate is of another authority than ${files.authority}`);
  const leaf = readCertificate(certificate, "the certificate");
  const had = await readIdentity(dataDir);
  const names = namesOf(leaf);
  const next = await readKeyIfThere(files.nextKey);
  const isNext = next !== undefined && leaf.checkPrivateKey(createPrivateKey(next));
  const key = isNext ? next : await readKeyIfThere(files.key);
  if (key === undefined) throw new MeshError("CONFIG_INVALID", `${dataDir} has no key: make a request there with "receptor cert request"`);
  const node = had?.node ?? names.node;
  checkSigned({ certificate, authority, key, mesh: meshOf(readCertificate(authority, files.authority), files.authority), node });
  await install(dataDir, certificate, authority);
  if (isNext) await replaceFile(files.nextKey, files.key);
  return leaf;
}

/** Keeps a list of revoked certificates that came as a file. Rejects with CONFIG_INVALID, or PROTOCOL_ERROR where the authority has not signed it. */
export async function installDenyList(dataDir: string, text: string): Promise<DenyList> {
  const files = identityFiles(dataDir);
  const pem = await readIfThere(files.authority);
  if (pem === undefined) throw new MeshError("CONFIG_INVALID", `${dataDir} belongs to no mesh`, { data: { dataDir } });
  const authority = readCertificate(pem, files.authority);
  const list = DenyList.parse(text, authority);
  const had = await readDenyList(dataDir, authority);
  if (had !== undefined && had.number >= list.number)
    throw new MeshError(
      "INVALID_ARGUMENT",
      `the list in ${dataDir} has the number ${had.number}, and this one ${list.number}: it is no newer`,
    );
  await writeDenyList(dataDir, list);
  return list;
}
