import { SILENT } from "../../core/log.ts";
import { openSigner } from "../../identity/folder.ts";
import { beginRenewal } from "../../identity/renew.ts";
import type { MeshNode } from "../api.ts";
import { askSigners } from "./ask-signers.ts";

/** How long a signer may take to be seen: milliseconds. */
const APPEAR = 5_000;

export interface RenewOptions {
  readonly newKey: boolean;
  readonly signal: AbortSignal;
  /** Joins the mesh with the present certificate; the caller of this closes nothing. */
  connect(): Promise<MeshNode>;
  sleep(milliseconds: number): Promise<void>;
}

/**
 * Renews the certificate of a data folder: by the authority in it, where it has the key, else by a node of the mesh, whose id is returned.
 * Rejects with CONFIG_INVALID, CERTIFICATE_INVALID, DENIED, NO_ROUTE, UNREACHABLE_MESH.
 */
export async function renew(dataDir: string, { newKey, signal, connect, sleep }: RenewOptions): Promise<string | undefined> {
  const renewal = await beginRenewal(dataDir, newKey);
  const signer = await openSigner(dataDir, SILENT);
  if (signer !== undefined) {
    await renewal.finish(await signer.renew(renewal.question));
    return undefined;
  }
  const node = await connect();
  try {
    return await askSigners(node, renewal, { signal, wait: APPEAR, sleep });
  } finally {
    await node.close();
  }
}
