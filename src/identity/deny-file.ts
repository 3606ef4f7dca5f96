import type { X509Certificate } from "node:crypto";
import { DenyList } from "./deny-list.ts";
import { readIfThere, writePrivate } from "./files.ts";
import { identityFiles } from "./paths.ts";

/** Reads the list in a data folder; undefined: nothing was revoked yet. Rejects with CONFIG_INVALID, TOO_LARGE or PROTOCOL_ERROR. */
export async function readDenyList(dataDir: string, authority: X509Certificate): Promise<DenyList | undefined> {
  const text = await readIfThere(identityFiles(dataDir).denied);
  return text === undefined ? undefined : DenyList.parse(text, authority);
}

/** Rejects with CONFIG_INVALID. */
export async function writeDenyList(dataDir: string, list: DenyList): Promise<void> {
  await writePrivate(identityFiles(dataDir).denied, list.text);
}
