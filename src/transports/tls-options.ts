import { readFile } from "node:fs/promises";
import type { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";

/** Certificates in PEM. */
export interface TlsOptions {
  /** This node's certificate, followed by the intermediate ones; needed to listen. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The authority of the mesh. With it, both ends of a link must have a certificate that it signed. Default: the system's. */
  readonly ca?: string | Buffer;
  /** Whether a dialled host must be named by its certificate. Default true; false where something else proves who it is. */
  readonly verifyHost?: boolean;
  /**
   * The node that the other end's certificate names; undefined: its names do not count. A MeshError that it throws ends the connection.
   * Needs a `ca`.
   */
  readonly nodeOf?: (certificate: X509Certificate) => NodeId | undefined;
  /** What listeners answer to who has no certificate yet. */
  readonly asks?: Asks;
}

/** One question and one answer over TLS, in a conversation that ALPN names. */
export interface Asks {
  readonly protocol: string;
  /** The longest question, in bytes. */
  readonly limit: number;
  /** Undefined: hang up without a word. */
  answer(question: Uint8Array, remoteHost: string): Promise<Uint8Array | undefined>;
}

export interface TlsFiles {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

/** Reads the PEM files and tries them. Rejects with CONFIG_INVALID that names the file, or says what does not fit. */
export async function readTlsFiles(files: TlsFiles): Promise<TlsOptions> {
  const [cert, key, ca] = await Promise.all([read("cert", files.cert), read("key", files.key), read("ca", files.ca)]);
  const options = { ...(cert && { cert }), ...(key && { key }), ...(ca && { ca }) };
  checkTls(options);
  return options;
}

async function read(what: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MeshError("CONFIG_INVALID", `the TLS ${what} file ${path} cannot be read: ${reason}`, { cause });
  }
}

/** Throws CONFIG_INVALID where the parts are no PEM or do not belong together. */
export function checkTls(options: TlsOptions): void {
  const { cert, key, ca } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new MeshError("CONFIG_INVALID", "TLS needs the certificate and its key, and only one of them was given");
  }
  // A context without an authority reads those of the system, which takes 20 ms: not where nothing was given that could be wrong.
  if (cert === undefined && ca === undefined) return;
  try {
    createSecureContext(contextOptions(options));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MeshError("CONFIG_INVALID", `the TLS certificate, key or ca cannot be used: ${reason}`, { cause });
  }
}

/** What `tls.connect`, `tls.createServer` and `setSecureContext` take. TLS 1.3 only. */
export function contextOptions(options: TlsOptions): SecureContextOptions {
  return {
    minVersion: "TLSv1.3",
    ...(options.cert !== undefined && { cert: options.cert }),
    ...(options.key !== undefined && { key: options.key }),
    ...(options.ca !== undefined && { ca: options.ca }),
  };
}
