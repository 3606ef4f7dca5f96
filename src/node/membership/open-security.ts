import { readFile } from "node:fs/promises";
import type { NodeConfig } from "../../config/node-config.ts";
import { MeshError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import { isMember, type Security } from "./security.ts";

/**
 * Reads the certificates that the configuration names and tries them. Rejects with CONFIG_INVALID, or CERTIFICATE_INVALID where this
 * node's own is no good.
 */
export async function openSecurity(config: NodeConfig, log: Logger): Promise<Security> {
  const member = isMember(config);
  if (member && config.dataDir !== undefined) {
    const { settleKey } = await import("../../identity/renew.ts");
    await settleKey(config.dataDir);
  }
  // One after another, so that of several that are missing the same one is named each time.
  const cert = await read(config, "cert");
  const key = await read(config, "key");
  const ca = await read(config, "ca");
  const files = { ...(cert && { cert }), ...(key && { key }), ...(ca && { ca }) };
  const { identity } = config.tls;
  if (ca === undefined) {
    if (identity !== undefined)
      throw new MeshError("CONFIG_INVALID", "tls.identity needs tls.ca: without one nobody has to show a certificate");
    return { tls: files, node: undefined, member, warnings: [] };
  }
  if (cert === undefined && identity === undefined) return { tls: files, node: undefined, member, warnings: [] };
  // Most of what certificates take is loaded by those alone who have some.
  const { secured } = await import("./secured.ts");
  return await secured(config, log, { ...files, ca }, member);
}

async function read(config: NodeConfig, name: "cert" | "key" | "ca"): Promise<Buffer | undefined> {
  const path = config.tls[name];
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", `tls.${name}: ${path} cannot be read`, { cause });
  }
}
