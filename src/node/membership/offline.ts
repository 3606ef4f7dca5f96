import { readFile, stat, writeFile } from "node:fs/promises";
import type { NodeConfig } from "../../config/node-config.ts";
import { MeshError } from "../../core/errors.ts";
import { SILENT } from "../../core/log.ts";
import { checkPatterns } from "../../identity/enrolment.ts";
import { hashOfCertificate, namesOf, readCertificate } from "../../identity/certificate.ts";
import { readIdentity } from "../../identity/folder.ts";
import { installDenyList, installSigned, requestCertificate, signRequest } from "../../identity/offline.ts";
import { formatRequest, LONGEST_REQUEST, parseRequest } from "../../identity/request-file.ts";
import { makeDataDir } from "../data-dir.ts";
import { resolveNodeId } from "../node-id.ts";

export interface Requested {
  readonly node: string;
  readonly groups: readonly string[];
  readonly path: string;
}

/** Writes a request for the node of a data folder to `path`, or to ID.request in `cwd`. */
export async function request(dataDir: string, { id, groups, newKey, path, cwd }: RequestWish): Promise<Requested> {
  await makeDataDir(dataDir);
  const had = await readIdentity(dataDir);
  if (had !== undefined && id !== undefined && id !== had.node)
    throw new MeshError("INVALID_ARGUMENT", `${dataDir} belongs to node "${had.node}": name another data folder for "${id}"`);
  const node = had?.node ?? (await resolveNodeId(id, dataDir));
  const wanted = groups.length === 0 && had !== undefined ? undefined : checkPatterns(groups, "groups");
  const made = await requestCertificate(dataDir, node, wanted, newKey);
  const file = path ?? `${cwd}/${node}.request`;
  await write(file, formatRequest(made));
  return { node, groups: made.groups, path: file };
}

export interface RequestWish {
  readonly id: string | undefined;
  readonly groups: readonly string[];
  readonly newKey: boolean;
  readonly path: string | undefined;
  readonly cwd: string;
}

export interface SignedFile {
  readonly node: string;
  readonly groups: readonly string[];
  readonly until: string;
  readonly path: string;
}

/** Signs the request in a file, by the authority in the data folder. `groups`: in place of those that it asks for, where there are any. */
export async function sign(
  dataDir: string,
  file: string,
  {
    groups,
    replace,
    path,
    cwd,
  }: { readonly groups: readonly string[]; readonly replace: boolean; readonly path: string | undefined; readonly cwd: string },
): Promise<SignedFile> {
  const asked = parseRequest(await read(file));
  const granted = groups.length === 0 ? asked.groups : checkPatterns(groups, "groups");
  const pem = await signRequest(dataDir, { ...asked, groups: granted }, replace, SILENT);
  const to = path ?? `${cwd}/${asked.node}.crt`;
  await write(to, pem);
  return { node: asked.node, groups: granted, until: new Date(readCertificate(pem, to).validTo).toISOString(), path: to };
}

export type Installed =
  | { readonly type: "certificate"; readonly mesh: string; readonly node: string; readonly fingerprint: string }
  | { readonly type: "revocations"; readonly number: number };

/** Installs a signed certificate, or a list of revoked ones. A node that runs there uses it within seconds. */
export async function installFile({ dataDir, tls }: NodeConfig, file: string): Promise<Installed> {
  if (dataDir === undefined) throw new MeshError("CONFIG_INVALID", "no data folder is named");
  const text = await read(file);
  if (text.startsWith("{")) return { type: "revocations", number: (await installDenyList(dataDir, text)).number };
  if (tls.cert !== undefined && !tls.cert.startsWith(dataDir))
    throw new MeshError("CONFIG_INVALID", "tls.cert names a certificate of another authority: leave it out of the configuration first");
  const leaf = await installSigned(dataDir, text);
  return { type: "certificate", ...namesOf(leaf), fingerprint: Buffer.from(hashOfCertificate(leaf)).toString("hex") };
}

async function read(path: string): Promise<string> {
  try {
    if ((await stat(path)).size > LONGEST_REQUEST) throw new MeshError("INVALID_ARGUMENT", `${path} is too long for what it should be`);
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError("INVALID_ARGUMENT", `${path} cannot be read`, { cause });
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new MeshError("INVALID_ARGUMENT", `${path} cannot be written`, { cause });
  }
}
