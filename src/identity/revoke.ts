import type { X509Certificate } from "node:crypto";
import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { readCertificate, spanOf } from "./certificate.ts";
import { type Denied, DenyList, mergeDenied } from "./deny-list.ts";
import { readDenyList, writeDenyList } from "./deny-file.ts";
import { readIfThere, readKeyIfThere } from "./files.ts";
import { identityFiles } from "./paths.ts";
import { meshOf, openTokens } from "./folder.ts";
import { Ledger } from "./ledger.ts";
import type { MeshId } from "./names.ts";
import { readSigning } from "./signing.ts";

/** The authority in a data folder, with its key. */
interface Authority {
  readonly mesh: MeshId;
  readonly key: string;
  readonly certificate: X509Certificate;
}

async function openAuthority(dataDir: string): Promise<Authority> {
  const files = identityFiles(dataDir);
  const key = await readKeyIfThere(files.authorityKey);
  const pem = await readIfThere(files.authority);
  if (key === undefined || pem === undefined) {
    throw new MeshError(
      "CONFIG_INVALID",
      `${dataDir} has no key of an authority, so nothing is revoked there: name the data folder in which "receptor mesh init" was run`,
      { data: { dataDir } },
    );
  }
  const certificate = readCertificate(pem, files.authority);
  return { mesh: meshOf(certificate, files.authority), key, certificate };
}

/** Keeps a list with `more` in it, and what has ended gone. `now`: milliseconds since 1970. */
async function extend(dataDir: string, authority: Authority, more: Denied, now: number): Promise<DenyList> {
  const before = await readDenyList(dataDir, authority.certificate);
  const seconds = Math.floor(now / 1_000);
  // By the time, so that an authority whose list was lost does not begin below those that it has signed.
  const number = Math.max((before?.number ?? 0) + 1, seconds);
  const list = DenyList.sign(authority.mesh, number, mergeDenied(before?.denied ?? NOTHING, more, seconds), authority.key);
  await writeDenyList(dataDir, list);
  return list;
}

const NOTHING: Denied = { nodes: [], serials: [] };

export interface Revoked {
  readonly list: DenyList;
  /** Join tokens that had let the node in, and let nobody in any more: it knows their secrets. */
  readonly tokens: readonly string[];
}

/**
 * Revokes all certificates that a node has, by the authority in the data folder. Rejects with CONFIG_INVALID where that has no key;
 * INVALID_ARGUMENT where it has issued none to the node, unless `unknown`; TOO_LARGE. `now`: milliseconds since 1970.
 */
export async function revokeNode(dataDir: string, node: NodeId, now: number, unknown = false): Promise<Revoked> {
  const authority = await openAuthority(dataDir);
  const files = identityFiles(dataDir);
  const owner = await new Ledger(files.issued).ownerOf(node);
  if (owner === undefined && !unknown)
    throw new MeshError("INVALID_ARGUMENT", `no certificate for "${node}" was issued here; --force revokes what another may have issued`);
  const { validity } = await readSigning(files.signing);
  const until = Math.ceil(Math.max(now + validity, owner?.until ?? 0) / 1_000) + 1;
  const list = await extend(dataDir, authority, { nodes: [{ node, before: Math.floor(now / 1_000), until }], serials: [] }, now);
  const store = await openTokens(dataDir);
  const tokens = (await store.list()).filter(({ used, revoked }) => !revoked && used.some((use) => use.node === node));
  for (const { id } of tokens) await store.revoke(id);
  return { list, tokens: tokens.map(({ id }) => id) };
}

/** Revokes one certificate, by its serial number: the node's others hold. Rejects as `revokeNode`. */
export async function revokeSerial(dataDir: string, serial: string, now: number): Promise<DenyList> {
  const authority = await openAuthority(dataDir);
  const files = identityFiles(dataDir);
  const issued = await new Ledger(files.issued).find(serial);
  const { validity } = await readSigning(files.signing);
  const until = Math.ceil((issued === undefined ? now + validity : spanOf(issued).until) / 1_000) + 1;
  return await extend(dataDir, authority, { nodes: [], serials: [{ serial, until }] }, now);
}

/** Has `other` and the list in the data folder become one; undefined: `other` has all that is in it. For who signs. */
export async function reconcile(dataDir: string, other: DenyList, now: number): Promise<DenyList | undefined> {
  const authority = await openAuthority(dataDir);
  const own = await readDenyList(dataDir, authority.certificate);
  if (own === undefined || other.covers(own, Math.floor(now / 1_000))) return undefined;
  const number = Math.max(own.number, other.number) + 1;
  const merged = mergeDenied(own.denied, other.denied, Math.floor(now / 1_000));
  const list = DenyList.sign(authority.mesh, number, merged, authority.key);
  await writeDenyList(dataDir, list);
  return list;
}
