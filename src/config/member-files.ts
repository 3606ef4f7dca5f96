import { existsSync } from "node:fs";
import { identityFiles } from "../identity/paths.ts";
import type { TlsConfig } from "./node-config.ts";

/** The certificate of a mesh in the data folder; undefined where its node has joined none. */
export function memberFiles(dataDir: string): TlsConfig | undefined {
  const { certificate, key, authority } = identityFiles(dataDir);
  return existsSync(certificate) ? { cert: certificate, key, ca: authority } : undefined;
}
