import { join } from "node:path";

/** What a data folder holds of a node's identity. */
export interface IdentityFiles {
  readonly folder: string;
  /** The node's certificate, and after it the authority's. */
  readonly certificate: string;
  readonly key: string;
  /** A new key whose certificate has been asked for and is not there yet. */
  readonly nextKey: string;
  /** For what only this node may read. */
  readonly sealingKey: string;
  readonly authority: string;
  /** Where there is one, the node may sign. */
  readonly authorityKey: string;
  /** How the authority signs. */
  readonly signing: string;
  /** Which certificates were revoked, signed by the authority. */
  readonly denied: string;
  readonly tokens: string;
  readonly issued: string;
}

export function identityFiles(dataDir: string): IdentityFiles {
  const folder = join(dataDir, "identity");
  return {
    folder,
    certificate: join(folder, "node.crt"),
    key: join(folder, "node.key"),
    nextKey: join(folder, "node.key.next"),
    sealingKey: join(folder, "seal.key"),
    authority: join(folder, "ca.crt"),
    authorityKey: join(folder, "ca.key"),
    signing: join(folder, "signing.json"),
    denied: join(folder, "denied"),
    tokens: join(folder, "tokens"),
    issued: join(folder, "issued"),
  };
}
