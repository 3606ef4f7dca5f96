import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { NodeConfig } from "../../config/node-config.ts";
import { MeshError } from "../../core/errors.ts";
import { SILENT } from "../../core/log.ts";
import { groupPatternsOf, hashOfCertificate, isIssued, readCertificate } from "../../identity/certificate.ts";
import { checkPatterns } from "../../identity/enrolment.ts";
import { createToken, foundMesh, openTokens } from "../../identity/folder.ts";
import { statusOf, type TokenStatus } from "../../identity/judge.ts";
import { isMeshId } from "../../identity/names.ts";
import { SIGNING_DEFAULTS } from "../../identity/signing.ts";
import { MAX_USES } from "../../identity/token-store.ts";
import { resolveNodeId } from "../node-id.ts";
import { makeDataDir } from "../data-dir.ts";
import { openSecurity } from "./open-security.ts";
import { expiryWarning } from "./security.ts";

export { type AccessTest, testAccess } from "./access.ts";
export { join, type Joined, type JoinOptions } from "./join.ts";
export { type Installed, installFile, request, type Requested, type RequestWish, sign, type SignedFile } from "./offline.ts";
export { renew, type RenewOptions } from "./renew.ts";
export { listRevoked, revoke, type Revocation, type RevokedEntry } from "./revocation.ts";

export interface Founded {
  readonly mesh: string;
  readonly node: string;
}

export interface MeshWish {
  /** How long certificates last: milliseconds, at least 10 s; default 90 days. */
  readonly validity?: number;
  /** Whether the first node signs while it runs, where its configuration does not say; default true. */
  readonly online?: boolean;
}

/** Makes a mesh whose first node is that of the data folder. Rejects with CONFIG_INVALID where the folder belongs to a mesh. */
export async function makeMesh(dataDir: string, id: string | undefined, wish: MeshWish = {}): Promise<Founded> {
  await makeDataDir(dataDir);
  const mesh = randomBytes(8).toString("hex");
  if (!isMeshId(mesh)) throw new MeshError("INTERNAL", "the id of the mesh is none");
  const made = await foundMesh(dataDir, await resolveNodeId(id, dataDir), mesh, Date.now(), SILENT, { ...SIGNING_DEFAULTS, ...wish });
  return { mesh: made.mesh, node: made.node };
}

export interface TokenWish {
  /** Milliseconds that it holds. */
  readonly lifetime: number;
  readonly uses: number;
  /** Patterns; empty: any. */
  readonly ids: readonly string[];
  readonly groups: readonly string[];
  readonly replace: boolean;
}

export interface MadeToken extends Omit<TokenWish, "lifetime"> {
  readonly id: string;
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** Rejects with INVALID_ARGUMENT, or CONFIG_INVALID where the data folder's node does not sign. */
export async function makeToken(dataDir: string, { lifetime, uses, ids, groups, replace }: TokenWish): Promise<MadeToken> {
  if (uses > MAX_USES) throw new MeshError("INVALID_ARGUMENT", `a join token lets in at most ${MAX_USES} nodes`);
  if (replace && ids.length === 0) throw new MeshError("INVALID_ARGUMENT", "a join token that replaces nodes names them: add --id");
  const wanted = {
    // To the second, as the token says it.
    expires: Math.floor((Date.now() + lifetime) / 1_000) * 1_000,
    uses,
    ids: ids.length === 0 ? ["*"] : checkPatterns(ids, "ids"),
    groups: groups.length === 0 ? ["*"] : checkPatterns(groups, "groups"),
    replace,
  };
  const { id, text } = await createToken(dataDir, wanted, Date.now());
  return { id, token: text, ...wanted };
}

export interface ListedToken extends Omit<MadeToken, "token"> {
  readonly created: number;
  readonly status: TokenStatus;
  /** The nodes that it has let in. */
  readonly used: readonly string[];
}

export async function listTokens(dataDir: string): Promise<readonly ListedToken[]> {
  const tokens = await (await openTokens(dataDir)).list();
  return tokens.map((token) => {
    const { secretHash: _, revoked: __, used, ...rest } = token;
    return { ...rest, status: statusOf(token, Date.now()), used: used.map(({ node }) => node) };
  });
}

/** False: there is no token of that id. */
export async function revokeToken(dataDir: string, id: string): Promise<boolean> {
  return await (await openTokens(dataDir)).revoke(id);
}

/** What a node's certificate says. */
export interface CertificateFacts {
  readonly node: string | null;
  readonly names: string;
  readonly groups: readonly string[];
  readonly issuer: string;
  readonly serial: string;
  readonly validFrom: string;
  readonly validTo: string;
  /** SHA-256 in hexadecimal. */
  readonly fingerprint: string;
  readonly path: string;
  /** What should be mended in time. */
  readonly warnings: readonly string[];
}

/** The node's own certificate, as it stands. Rejects with CONFIG_INVALID where there is none. */
export async function describeCertificate(config: NodeConfig): Promise<CertificateFacts> {
  const certificate = readCertificate(await readFile(pathOf(config)), pathOf(config));
  const issuer = certificate.issuer.replaceAll("\n", ", ");
  return {
    node: null,
    names: certificate.subjectAltName ?? "",
    groups: groupPatternsOf(certificate),
    issuer,
    serial: certificate.serialNumber,
    validFrom: new Date(certificate.validFrom).toISOString(),
    validTo: new Date(certificate.validTo).toISOString(),
    fingerprint: Buffer.from(hashOfCertificate(certificate)).toString("hex"),
    path: pathOf(config),
    warnings: [],
  };
}

/** The same, after a look at all that a node looks at when it starts. Rejects with CERTIFICATE_INVALID or CONFIG_INVALID. */
export async function checkCertificate(config: NodeConfig): Promise<CertificateFacts> {
  const facts = await describeCertificate(config);
  const security = await openSecurity(config, SILENT);
  const expiry = expiryWarning(security, Date.now());
  const authorities = [...(await pems(config.tls.ca)), ...(await pems(config.tls.cert)).slice(1)];
  const own = readCertificate(await readFile(pathOf(config)), pathOf(config));
  if (config.tls.ca !== undefined && !authorities.some((issuer) => isIssued(own, issuer)))
    throw new MeshError("CERTIFICATE_INVALID", `${pathOf(config)} is not signed by the authority in ${config.tls.ca}`);
  return { ...facts, node: security.node ?? null, warnings: [...security.warnings, ...(expiry === undefined ? [] : [expiry])] };
}

async function pems(path: string | undefined): Promise<ReturnType<typeof readCertificate>[]> {
  if (path === undefined) return [];
  const blocks = (await readFile(path, "utf8")).match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((pem) => readCertificate(pem, path));
}

function pathOf({ tls, dataDir }: NodeConfig): string {
  if (tls.cert !== undefined) return tls.cert;
  throw new MeshError(
    "CONFIG_INVALID",
    `there is no certificate: ${dataDir ?? "the data folder"} belongs to no mesh, and tls.cert names none`,
  );
}
