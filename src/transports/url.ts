import { MeshError } from "../core/errors.ts";

export type Scheme = "tcp" | "tls" | "ws" | "wss" | "memory";

/** Where a node listens or dials. */
export interface MeshUrl {
  readonly scheme: Scheme;
  /** Host name or address; IPv6 without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 asks the system for a free one. */
  readonly port: number;
  /** WebSocket path; "/" elsewhere. */
  readonly path: string;
  /** Positive; default 1. */
  readonly cost: number;
}

export const DEFAULT_PORT = 8888;

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ["tcp", "tcp"],
  ["tls", "tls"],
  ["ws", "ws"],
  ["wss", "wss"],
  ["memory", "memory"],
  ["rnp", "tcp"],
  ["rnps", "tls"],
  ["receptor", "tcp"],
]);

/** Host and port as written: brackets, or no colon, and then perhaps a port. */
const AUTHORITY = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s;

/**
 * Parses `tcp://host:port?cost=2`, `[::1]:8888`, `host` and the like. A bare `HOST:PORT` is `bare` (default tcp).
 * Throws INVALID_ARGUMENT that says what is wrong.
 */
export function parseMeshUrl(text: string, bare: "tcp" | "tls" = "tcp"): MeshUrl {
  const trimmed = text.trim();
  const prefix = /^([a-z][a-z0-9+.-]*):\/\//i.exec(trimmed);
  const name = prefix?.[1]?.toLowerCase();
  const scheme = name === undefined ? bare : SCHEMES.get(name);
  if (scheme === undefined) throw invalid(text, `"${name}" is none of ${[...SCHEMES.keys()].join(", ")}`);
  const rest = prefix === null ? trimmed : trimmed.slice(prefix[0].length);
  const authority = /^[^/?#\\]*/.exec(rest)?.[0] ?? "";
  const { host, port } = hostAndPort(text, authority);
  const tail = parseTail(text, rest.slice(authority.length));
  if (tail.pathname !== "/" && scheme !== "ws" && scheme !== "wss") throw invalid(text, "only ws and wss have a path");
  return { scheme, host, port, path: tail.pathname, cost: costOf(text, tail) };
}

function hostAndPort(text: string, authority: string): { host: string; port: number } {
  if (authority.includes("@")) throw invalid(text, "user and password have no place in it");
  if (URL.canParse(`http://[${authority}]`)) throw invalid(text, "an IPv6 address stands in brackets: [::1]:8888");
  const parts = AUTHORITY.exec(authority);
  const written = parts?.[1] ?? "";
  if (written === "")
    throw invalid(text, authority === "" || authority.startsWith(":") ? "it has no host" : "use HOST:PORT or tcp://HOST:PORT");
  // The WHATWG parser would read a lone number as an IPv4 address: 8888 as 0.0.34.184.
  if (/^\d+$/.test(written)) throw invalid(text, `"${written}" is no host: did you mean 127.0.0.1:${written}?`);
  return { host: canonicalHost(text, written), port: portOf(text, parts?.[2]) };
}

function canonicalHost(text: string, written: string): string {
  if (/[\s\p{Cc}]/u.test(written)) throw invalid(text, "a host has no white space in it");
  // The WHATWG parser knows hosts only for its own schemes, so http stands in for ours.
  if (URL.canParse(`http://${written}`)) return new URL(`http://${written}`).hostname.replace(/^\[|\]$/g, "");
  if (written.startsWith("[") && written.includes("%")) throw invalid(text, "an IPv6 address with a zone is not supported");
  throw invalid(text, "use HOST:PORT or tcp://HOST:PORT");
}

function portOf(text: string, written: string | undefined): number {
  if (written === undefined || written === "") return DEFAULT_PORT;
  const port = Number(written);
  if (/^\d{1,9}$/.test(written) && port <= 65_535) return port;
  throw invalid(text, "the port is a number from 0 to 65535");
}

/** Path, query and fragment. */
function parseTail(text: string, tail: string): URL {
  if (tail.startsWith("\\")) throw invalid(text, "it has a backslash");
  const url = new URL(`http://host${tail}`);
  if (url.hash !== "" || tail.includes("#")) throw invalid(text, "# has no place in it");
  return url;
}

function costOf(text: string, url: URL): number {
  for (const key of url.searchParams.keys()) if (key !== "cost") throw invalid(text, `it has no option "${key}", only cost`);
  const given = url.searchParams.getAll("cost");
  if (given.length === 0) return 1;
  const cost = Number(given[0]);
  if (given.length > 1) throw invalid(text, "it has more than one cost");
  if (!(cost > 0 && cost <= 1_000_000)) throw invalid(text, "cost is a number above 0, at most 1000000");
  return cost;
}

function invalid(text: string, why: string): MeshError {
  return new MeshError("INVALID_ARGUMENT", `"${text}" is no address of a node: ${why}`);
}

/** The canonical text; `cost` only where it is not 1. */
export function formatMeshUrl(url: MeshUrl): string {
  const host = url.host.includes(":") ? `[${url.host}]` : url.host;
  const path = url.path === "/" ? "" : url.path;
  return `${url.scheme}://${host}:${url.port}${path}${url.cost === 1 ? "" : `?cost=${url.cost}`}`;
}

/** Whether only this machine can reach the host. */
export function isLoopback(host: string): boolean {
  // The last two are an IPv4 address inside an IPv6 one, as people write it and as the parser does.
  return (
    host === "localhost" || host === "::1" || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(host) || /^::ffff:7f[\da-f]{2}:[\da-f]{1,4}$/.test(host)
  );
}
