import { MeshError } from "../../core/errors.ts";
import { isNodeId } from "../../core/ids.ts";
import { readCertificate } from "../../identity/certificate.ts";
import { readDenyList } from "../../identity/deny-file.ts";
import { isSerial } from "../../identity/deny-list.ts";
import { readIfThere } from "../../identity/files.ts";
import { identityFiles } from "../../identity/paths.ts";
import { readIdentity } from "../../identity/folder.ts";
import { revokeNode, revokeSerial } from "../../identity/revoke.ts";

export interface Revocation {
  /** Of the list that has it. */
  readonly number: number;
  /** The file of that list. */
  readonly path: string;
  /** Join tokens that were revoked with it. */
  readonly tokens: readonly string[];
}

export interface RevocationWish {
  /** All certificates that it has. */
  readonly node?: string;
  /** One certificate; hexadecimal, with or without colons. */
  readonly serial?: string;
  /** Also what was never issued here, and the node of the data folder itself. */
  readonly force: boolean;
}

/**
 * Revokes certificates, by the authority in the data folder; a node that runs there tells the mesh within a second. Rejects with
 * INVALID_ARGUMENT, CONFIG_INVALID, TOO_LARGE.
 */
export async function revoke(dataDir: string, { node, serial, force }: RevocationWish): Promise<Revocation> {
  const path = identityFiles(dataDir).denied;
  if (serial !== undefined) {
    const plain = serial.replaceAll(":", "").toUpperCase();
    if (!isSerial(plain))
      throw new MeshError("INVALID_ARGUMENT", `"${serial}" is no serial number: "receptor cert show" has it in hexadecimal`);
    return { number: (await revokeSerial(dataDir, plain, Date.now())).number, path, tokens: [] };
  }
  if (!isNodeId(node)) throw new MeshError("INVALID_ARGUMENT", "say which node, or --serial with the number of a certificate");
  if (!force && (await readIdentity(dataDir))?.node === node)
    throw new MeshError("INVALID_ARGUMENT", `"${node}" is the node of this data folder itself: --force cuts it off all the same`);
  const { list, tokens } = await revokeNode(dataDir, node, Date.now(), force);
  return { number: list.number, path, tokens };
}

export type RevokedEntry = { readonly until: string } & ({ readonly node: string; readonly before: string } | { readonly serial: string });

/** What the list in a data folder has: that of any node of the mesh will do. */
export async function listRevoked(dataDir: string): Promise<readonly RevokedEntry[]> {
  const { authority } = identityFiles(dataDir);
  const pem = await readIfThere(authority);
  if (pem === undefined) throw new MeshError("CONFIG_INVALID", `${dataDir} belongs to no mesh`, { data: { dataDir } });
  const { nodes = [], serials = [] } = (await readDenyList(dataDir, readCertificate(pem, authority)))?.denied ?? {};
  return [
    ...nodes.map(({ node, before, until }) => ({ node, before: time(before), until: time(until) })),
    ...serials.map(({ serial, until }) => ({ serial, until: time(until) })),
  ];
}

function time(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}
