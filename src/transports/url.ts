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

const SCHEMES: Readonly<Record<string, Scheme>> = {
  tcp: "tcp", tls: "tls", ws: "ws", wss: "wss", memory: "memory",
  rnp: "tcp", rnps: "tls", receptor: "tcp",
};

/**
 * Parses `tcp://host:port?cost=2`, `[::1]:8888`, `host` and the like. A bare `HOST:PORT` is `bare` (default tcp).
 * Throws INVALID_ARGUMENT that says what is wrong.
 */
export function parseMeshUrl(text: string, bare: "tcp" | "tls" = "tcp"): MeshUrl {
  const trimmed = text.trim();
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(trimmed);
  let url: URL;
  try {
    // The WHATWG parser knows host, port and IPv6 only for its own schemes, so http stands in for ours.
    url = new URL(`http://${scheme === null ? trimmed : trimmed.slice(scheme[0].length)}`);
  } catch (cause) {
    throw invalid(text, "use HOST:PORT or tcp://HOST:PORT", cause);
  }
  const name = scheme?.[1]?.toLowerCase();
  const known = name === undefined ? bare : SCHEMES[name];
  if (known === undefined) throw invalid(text, `"${name}" is none of ${Object.keys(SCHEMES).join(", ")}`);
  if (url.username !== "" || url.password !== "" || url.hash !== "") throw invalid(text, "user, password and # have no place in it");
  if (url.hostname === "") throw invalid(text, "it has no host");
  if (url.pathname !== "/" && known !== "ws" && known !== "wss") throw invalid(text, "only ws and wss have a path");
  return { scheme: known, host: url.hostname.replace(/^\[|\]$/g, ""), port: portOf(trimmed, url), path: url.pathname, cost: costOf(text, url) };
}

function portOf(text: string, url: URL): number {
  if (url.port !== "") return Number(url.port);
  // The stand-in scheme drops its own default.
  return /:0*80(?=[/?]|$)/.test(text) ? 80 : DEFAULT_PORT;
}

function costOf(text: string, url: URL): number {
  for (const key of url.searchParams.keys()) if (key !== "cost") throw invalid(text, `it has no option "${key}", only cost`);
  const given = url.searchParams.get("cost");
  if (given === null) return 1;
  const cost = Number(given);
  if (!(cost > 0 && cost <= 1_000_000)) throw invalid(text, "cost is a number above 0, at most 1000000");
  return cost;
}

function invalid(text: string, why: string, cause?: unknown): MeshError {
  return new MeshError("INVALID_ARGUMENT", `"${text}" is no address of a node: ${why}`, { cause });
}

/** The canonical text; `cost` only where it is not 1. */
export function formatMeshUrl(url: MeshUrl): string {
  const host = url.host.includes(":") ? `[${url.host}]` : url.host;
  const path = url.path === "/" ? "" : url.path;
  return `${url.scheme}://${host}:${url.port}${path}${url.cost === 1 ? "" : `?cost=${url.cost}`}`;
}

/** Whether only this machine can reach the host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host) || host === "::ffff:127.0.0.1";
}
