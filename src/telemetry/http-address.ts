import { MeshError } from "../core/errors.ts";

export interface HttpAddress {
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Parses `HOST:PORT`, `[::1]:PORT`, `:PORT` or `PORT`; without a host it is 127.0.0.1. Throws INVALID_ARGUMENT. */
export function parseHttpAddress(text: string): HttpAddress {
  const parts = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^[\]:/\s]*)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(parts?.[3]);
  if (parts === null || port > 65_535)
    throw new MeshError("INVALID_ARGUMENT", `"${text}" is no address for http: use HOST:PORT, as 127.0.0.1:8889`);
  return { host: parts[1] ?? (parts[2] || "127.0.0.1"), port };
}

/** Whether a host name or address (lower case, no brackets, no port) always means this machine. */
export function isLoopbackName(host: string): boolean {
  return (
    host === "localhost" || host.endsWith(".localhost") || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host) || host === "::ffff:127.0.0.1"
  );
}
