import { createPrivateKey, type X509Certificate } from "node:crypto";
import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import { hashOfCertificate, isIssued, namesOf, readCertificate } from "./certificate.ts";
import { readDenyList } from "./deny-file.ts";
import { readIfThere, readKeyIfThere, writePrivate } from "./files.ts";
import { identityFiles } from "./paths.ts";
import { formatJoinToken, type JoinToken } from "./join-token.ts";
import { refusedToken } from "./judge.ts";
import { Ledger } from "./ledger.ts";
import { isCertifiable, LONGEST_CERTIFIED, type MeshId, parseAuthorityName } from "./names.ts";
import { Signer } from "./signer.ts";
import { readSigning, SIGNING_DEFAULTS, type SigningSettings, writeSigning } from "./signing.ts";
import { type NewToken, TokenStore } from "./token-store.ts";

/** How long an authority lasts. */
const AUTHORITY_LIFETIME = 10 * 365 * 86_400_000;
const LEEWAY = 3_600_000;
/** A certificate that ends sooner is asked for anew where there is a token. */
export const RENEW_BEFORE = 30 * 86_400_000;

/** Who the node of a data folder is. */
export interface Identity {
  readonly mesh: MeshId;
  readonly node: NodeId;
  readonly certificate: X509Certificate;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** It has the authority's key, and lets others in. */
  readonly signs: boolean;
}

/** Undefined where the folder has no certificate of a mesh. Rejects with CONFIG_INVALID or CERTIFICATE_INVALID. */
export async function readIdentity(dataDir: string): Promise<Identity | undefined> {
  const files = identityFiles(dataDir);
  const pem = await readIfThere(files.certificate);
  if (pem === undefined) return undefined;
  const certificate = readCertificate(pem, files.certificate);
  const signs = (await readKeyIfThere(files.authorityKey)) !== undefined;
  return { ...namesOf(certificate), certificate, until: Date.parse(certificate.validTo), signs };
}

/**
 * Makes a mesh: its authority, how that signs, and the certificate of `node`, in the data folder. `now`: milliseconds since 1970. Rejects
 * with CONFIG_INVALID where the folder has an identity already.
 */
export async function foundMesh(
  dataDir: string,
  node: NodeId,
  mesh: MeshId,
  now: number,
  log: Logger,
  settings: SigningSettings = SIGNING_DEFAULTS,
): Promise<Identity> {
  const files = identityFiles(dataDir);
  const before = await readIdentity(dataDir);
  if (before !== undefined)
    throw new MeshError("CONFIG_INVALID", `${dataDir} belongs to node "${before.node}" of mesh ${before.mesh}: name another data folder`, {
      data: { dataDir },
    });
  if (!isCertifiable(node))
    throw new MeshError(
      "INVALID_ARGUMENT",
      `"${node}" can be no id of a member: at most ${LONGEST_CERTIFIED} characters, and no ":cli-" id`,
    );
  const { createAuthority, createRequest } = await import("./x509.ts");
  // What an attempt that was cut short has left is used, so that it can be finished.
  if ((await readKeyIfThere(files.authorityKey)) === undefined || (await readIfThere(files.authority)) === undefined) {
    const authority = await createAuthority(mesh, { from: now - LEEWAY, to: now + AUTHORITY_LIFETIME });
    await writePrivate(files.authorityKey, authority.key);
    await writePrivate(files.authority, authority.certificate);
  }
  await writeSigning(files.signing, settings);
  const signer = await openSigner(dataDir, log);
  if (signer === undefined) throw new MeshError("CONFIG_INVALID", `${files.folder} has no authority that can be used`);
  const certificate = await signer.issue(node, ["*"], await createRequest(await ownKey(dataDir)));
  await install(dataDir, certificate, (await readIfThere(files.authority)) ?? "");
  const identity = await readIdentity(dataDir);
  if (identity === undefined) throw new MeshError("CONFIG_INVALID", `${files.certificate} is gone again`);
  return identity;
}

/** Undefined where the folder has no key of an authority. Rejects with CONFIG_INVALID or CERTIFICATE_INVALID. */
export async function openSigner(dataDir: string, log: Logger): Promise<Signer | undefined> {
  const files = identityFiles(dataDir);
  const key = await readKeyIfThere(files.authorityKey);
  const certificate = await readIfThere(files.authority);
  if (key === undefined || certificate === undefined) return undefined;
  const parsed = readCertificate(certificate, files.authority);
  const mesh = meshOf(parsed, files.authority);
  const { validity } = await readSigning(files.signing);
  return new Signer(
    { mesh, authority: { key, certificate }, validity },
    {
      tokens: new TokenStore(files.tokens),
      ledger: new Ledger(files.issued),
      denied: () => readDenyList(dataDir, parsed),
      log,
      wallClock: () => Date.now(),
    },
  );
}

/** The join tokens of a node that signs. Rejects with CONFIG_INVALID where it does not. */
export async function openTokens(dataDir: string): Promise<TokenStore> {
  const files = identityFiles(dataDir);
  if ((await readKeyIfThere(files.authorityKey)) !== undefined) return new TokenStore(files.tokens);
  throw new MeshError(
    "CONFIG_INVALID",
    `${dataDir} has no key of an authority, so nothing there makes join tokens: name the data folder in which "receptor mesh init" was run`,
    { data: { dataDir } },
  );
}

/** Makes a join token of the authority in the data folder; the text is nowhere else. Rejects as `openTokens` does. */
export async function createToken(dataDir: string, wanted: NewToken, now: number): Promise<{ readonly id: string; readonly text: string }> {
  const files = identityFiles(dataDir);
  const store = await openTokens(dataDir);
  const authority = readCertificate((await readIfThere(files.authority)) ?? "", files.authority);
  const { record, secret } = await store.create(wanted, now);
  const { id, expires } = record;
  const token: JoinToken = { mesh: meshOf(authority, files.authority), authority: hashOfCertificate(authority), id, secret, expires };
  return { id, text: formatJoinToken(token) };
}

/** The node's private key in PEM; made where there is none. */
export async function ownKey(dataDir: string): Promise<string> {
  const { key: path } = identityFiles(dataDir);
  const kept = await readKeyIfThere(path);
  if (kept !== undefined) return kept;
  const { createKey } = await import("./x509.ts");
  const key = await createKey();
  await writePrivate(path, key);
  return key;
}

/**
 * Keeps the certificate that a signer made for this node. Rejects with CERTIFICATE_INVALID, and keeps nothing, unless the authority of
 * `token` signed it, for this node's key, this mesh and this id.
 */
export async function installCertificate(
  dataDir: string,
  node: NodeId,
  token: JoinToken,
  certificate: string,
  authority: string,
): Promise<void> {
  if (!isAuthorityOf(token, readCertificate(authority, "the authority")))
    throw refusedToken("other-mesh", "the certificate is not from the authority that the join token names");
  checkSigned({ certificate, authority, key: await ownKey(dataDir), mesh: token.mesh, node });
  await install(dataDir, certificate, authority);
}

export interface SignedFor {
  /** PEM, as are the other two. */
  readonly certificate: string;
  readonly authority: string;
  /** The private one. */
  readonly key: string;
  readonly mesh: MeshId;
  readonly node: NodeId;
}

/** Throws CERTIFICATE_INVALID unless the authority signed the certificate, for this key, this mesh and this id. */
export function checkSigned({ certificate, authority, key, mesh, node }: SignedFor): X509Certificate {
  const leaf = readCertificate(certificate, "what the signer sent");
  const wrong = (what: string): MeshError => new MeshError("CERTIFICATE_INVALID", `the certificate that the signer sent ${what}`);
  if (!isIssued(leaf, readCertificate(authority, "the authority"))) throw wrong("is not signed by the mesh's authority");
  if (!leaf.checkPrivateKey(createPrivateKey(key))) throw wrong("is for another key");
  const names = namesOf(leaf);
  if (names.mesh !== mesh || names.node !== node) throw wrong(`is for node "${names.node}" of mesh ${names.mesh}`);
  return leaf;
}

/** Whether a token was made by this authority. */
export function isAuthorityOf(token: JoinToken, authority: X509Certificate): boolean {
  return Buffer.from(token.authority).equals(Buffer.from(hashOfCertificate(authority)));
}

/** Keeps a certificate that was checked, and its authority's. */
export async function install(dataDir: string, certificate: string, authority: string): Promise<void> {
  const files = identityFiles(dataDir);
  await writePrivate(files.authority, authority);
  // The last one: with it the folder has an identity.
  await writePrivate(files.certificate, `${certificate.trim()}\n${authority.trim()}\n`);
}

/** The mesh of an authority. Throws CERTIFICATE_INVALID where it is none. */
export function meshOf(authority: X509Certificate, path: string): MeshId {
  const mesh = parseAuthorityName(authority.subject);
  if (mesh !== undefined && authority.ca) return mesh;
  throw new MeshError("CERTIFICATE_INVALID", `${path} is no authority of a mesh`);
}
