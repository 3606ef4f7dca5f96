import { type ErrorCode, type ErrorData, isMeshError, MeshError } from "../core/errors.ts";
import type { Millis } from "../core/instant.ts";
import { formatMeshUrl, type MeshUrl } from "./url.ts";

interface SystemFacts {
  readonly code: string | undefined;
  readonly message: string;
}

const DIAL: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: is the node running, and is the port right?",
  ECONNRESET: "it closed the connection at once: is it a node, and is the scheme right?",
  EPIPE: "it closed the connection at once: is it a node, and is the scheme right?",
  ETIMEDOUT: "the host does not answer: check the address and the firewalls between",
  EHOSTUNREACH: "there is no way to the host: check the address and the network",
  ENETUNREACH: "there is no way to its network: check the address and the network",
  EHOSTDOWN: "the host is down",
  ENOTFOUND: "the host name is not known: check its spelling, or use an address",
  EAI_AGAIN: "the name server does not answer: try again, or use an address",
  EADDRNOTAVAIL: "this machine has no address or port left to dial from",
  EACCES: "the system does not allow it: check firewall and sandbox rules",
  EPERM: "the system does not allow it: check firewall and sandbox rules",
  EMFILE: "this process has no file descriptors left: raise `ulimit -n`",
  ENFILE: "this machine has no file descriptors left",
};

const LISTEN: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: "no such address on this machine: choose one of its own, or 0.0.0.0 for all",
  ENOTFOUND: "the host name is not known: check its spelling, or use an address",
  EAI_AGAIN: "the name server does not answer: use an address",
  EMFILE: "this process has no file descriptors left: raise `ulimit -n`",
  ENFILE: "this machine has no file descriptors left",
  EAFNOSUPPORT: "this machine does not have that kind of address: is IPv6 switched off?",
};

const CERTIFICATE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired: renew it",
  CERT_NOT_YET_VALID: "its certificate is not valid yet: check the clocks of both machines",
  CERT_REVOKED: "its certificate was revoked",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed: join its mesh with a token, or give its authority as `ca`",
  SELF_SIGNED_CERT_IN_CHAIN:
    "its certificate is from an authority that is not trusted here: join its mesh with a token, or give that as `ca`",
  UNABLE_TO_GET_ISSUER_CERT:
    "its certificate is from an authority that is not trusted here: join its mesh with a token, or give that as `ca`",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "its certificate is from an authority that is not trusted here: join its mesh with a token, or give that as `ca`",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "its certificate is from an authority that is not trusted here: join its mesh with a token, or give that as `ca`",
  CERT_SIGNATURE_FAILURE: "its certificate is not signed by the authority that it names",
  CERT_UNTRUSTED: "its certificate is not trusted",
  INVALID_CA: "its certificate was issued by one that may not issue any",
  INVALID_PURPOSE: "its certificate is not meant for this use",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host name",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "it requires a certificate of this node: join its mesh with a token, or give `cert` and `key`",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "it does not trust the authority of this node's certificate",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "this node's certificate has expired: renew it",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: "it does not accept this node's certificate",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "it does not accept this node's certificate",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS: is the scheme right?",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "it does not speak TLS: is the scheme right?",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "it has no TLS 1.3",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "it has no TLS 1.3",
};

/** CONNECT_FAILED for whatever ended a dial; a MeshError is returned as it is. `data.reason` is the system's code. */
export function dialError(url: MeshUrl, thrown: unknown): MeshError {
  if (isMeshError(thrown)) return thrown;
  const facts = factsOf(thrown);
  return describe("CONNECT_FAILED", `cannot connect to ${formatMeshUrl(url)}`, facts, lookUp(facts, DIAL), thrown);
}

/** LISTEN_FAILED that says what is in the way. */
export function listenError(url: MeshUrl, thrown: unknown): MeshError {
  if (isMeshError(thrown)) return thrown;
  const facts = factsOf(thrown);
  const port = `port ${url.port} of ${url.host}`;
  if (facts.code === "EADDRINUSE")
    return describe("LISTEN_FAILED", `${port} is in use`, facts, "choose another --listen or stop what holds it", thrown);
  if (facts.code === "EACCES") {
    return describe(
      "LISTEN_FAILED",
      `${port} may not be listened on`,
      facts,
      "ports below 1024 need privileges, so choose a higher one",
      thrown,
    );
  }
  return describe("LISTEN_FAILED", `cannot listen on ${formatMeshUrl(url)}`, facts, lookUp(facts, LISTEN), thrown);
}

/** LISTEN_FAILED for a listener that cannot accept for a while. */
export function acceptError(url: MeshUrl, thrown: unknown): MeshError {
  const facts = factsOf(thrown);
  return describe("LISTEN_FAILED", `${formatMeshUrl(url)} cannot take more connections for now`, facts, lookUp(facts, LISTEN), thrown);
}

/** CONNECT_FAILED for a connection that was up and broke. `remote` as in Pipe. */
export function lostError(remote: string, thrown: unknown): MeshError {
  if (isMeshError(thrown)) return thrown;
  const facts = factsOf(thrown);
  const reset = facts.code === "ECONNRESET" || facts.code === "EPIPE" ? "the other end broke it off" : undefined;
  const timedOut = facts.code === "ETIMEDOUT" ? "the other end no longer answers" : undefined;
  return describe("CONNECT_FAILED", `lost the connection with ${remote}`, facts, reset ?? timedOut ?? lookUp(facts, {}), thrown);
}

export function timeoutError(url: MeshUrl, timeout: Millis): MeshError {
  return new MeshError(
    "TIMEOUT",
    `no connection to ${formatMeshUrl(url)} within ${timeout / 1000} s: is it a node, and is the scheme right?`,
  );
}

export function abortedError(url: MeshUrl, cause: unknown): MeshError {
  return new MeshError("ABORTED", `dialling ${formatMeshUrl(url)} was aborted`, { cause });
}

function describe(code: ErrorCode, what: string, facts: SystemFacts, hint: string | undefined, cause: unknown): MeshError {
  const data: ErrorData = facts.code === undefined ? {} : { reason: facts.code };
  return new MeshError(code, `${what}: ${hint ?? facts.message}`, { cause, data });
}

function lookUp(facts: SystemFacts, table: Readonly<Record<string, string>>): string | undefined {
  if (facts.code === undefined) return undefined;
  if (Object.hasOwn(table, facts.code)) return table[facts.code];
  return Object.hasOwn(CERTIFICATE, facts.code) ? CERTIFICATE[facts.code] : undefined;
}

function factsOf(thrown: unknown): SystemFacts {
  if (!(thrown instanceof Error)) return { code: undefined, message: String(thrown) };
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
  return { code, message: thrown.message === "" ? thrown.name : thrown.message };
}
