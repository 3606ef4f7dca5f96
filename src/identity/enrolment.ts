import { fromUtf8, utf8 } from "../core/bytes.ts";
import { type ErrorCode, type ErrorData, isErrorCode, MeshError } from "../core/errors.ts";
import { isGroupName, isNodeId, type NodeId } from "../core/ids.ts";
import { LIMITS } from "../core/limits.ts";
import { isPattern, MAX_PATTERNS } from "./patterns.ts";

/** The name of the conversation that a machine without a certificate may have over TLS (ALPN). */
export const ENROLMENT = "receptor-enrol/1";

/** What a machine asks a signer for. */
export interface EnrolmentRequest {
  /** The token's id and its secret. */
  readonly token: string;
  readonly secret: Uint8Array;
  readonly node: NodeId;
  readonly groups: readonly string[];
  /** PKCS #10, DER. */
  readonly request: Uint8Array;
}

export type EnrolmentAnswer =
  | { readonly type: "issued"; readonly certificate: string }
  | { readonly type: "refused"; readonly code: ErrorCode; readonly message: string; readonly data: ErrorData };

const MAX_GROUPS = 64;
const TOKEN_ID = /^[0-9a-f]{16}$/;
const BASE64URL = /^[A-Za-z0-9_-]*$/;

export function encodeEnrolmentRequest({ token, secret, node, groups, request }: EnrolmentRequest): Uint8Array {
  const bytes = utf8(JSON.stringify({ token, secret: base64url(secret), node, groups, request: base64url(request) }));
  if (bytes.length > LIMITS.enrolment)
    throw new MeshError(
      "TOO_LARGE",
      `a request to join of ${bytes.length} bytes is over the limit of ${LIMITS.enrolment}: name fewer groups`,
    );
  return bytes;
}

/** Throws PROTOCOL_ERROR; `bytes` are a stranger's, and no more than LIMITS.enrolment. */
export function decodeEnrolmentRequest(bytes: Uint8Array): EnrolmentRequest {
  const { token, secret, node, groups, request } = parse(bytes);
  if (typeof token !== "string" || !TOKEN_ID.test(token) || !isNodeId(node)) throw malformed();
  if (!Array.isArray(groups) || groups.length > MAX_GROUPS || !groups.every(isGroupName)) throw malformed();
  return { token, secret: bytesOf(secret), node, groups, request: bytesOf(request) };
}

export function encodeEnrolmentAnswer(answer: EnrolmentAnswer): Uint8Array {
  return utf8(JSON.stringify(answer));
}

/** Throws PROTOCOL_ERROR. */
export function decodeEnrolmentAnswer(bytes: Uint8Array): EnrolmentAnswer {
  const { type, certificate, code, message, data } = parse(bytes);
  if (type === "issued" && typeof certificate === "string") return { type, certificate };
  if (type !== "refused" || typeof message !== "string") throw malformed();
  const facts = typeof data === "object" && data !== null ? Object.entries(data) : [];
  return {
    type,
    code: isErrorCode(code) ? code : "DENIED",
    message: message.slice(0, 1_000),
    data: Object.fromEntries(facts.filter((entry): entry is [string, string] => typeof entry[1] === "string").slice(0, 8)),
  };
}

/** A list of patterns as a token and a certificate carry them. Throws INVALID_ARGUMENT. */
export function checkPatterns(patterns: readonly string[], what: string): readonly string[] {
  if (patterns.length > MAX_PATTERNS) throw new MeshError("INVALID_ARGUMENT", `at most ${MAX_PATTERNS} ${what}`);
  for (const pattern of patterns) {
    const known: boolean = isPattern(pattern);
    if (!known)
      throw new MeshError("INVALID_ARGUMENT", `"${pattern}" is neither an ${what} nor a pattern: use A-Z a-z 0-9 . _ : - and * for any`);
  }
  return patterns;
}

interface Fields {
  readonly [name: string]: unknown;
}

function parse(bytes: Uint8Array): Fields {
  try {
    const value: unknown = JSON.parse(fromUtf8(bytes) ?? "");
    if (typeof value === "object" && value !== null) return { ...value };
  } catch (cause) {
    throw malformed(cause);
  }
  throw malformed();
}

function bytesOf(value: unknown): Uint8Array {
  if (typeof value !== "string" || !BASE64URL.test(value)) throw malformed();
  return new Uint8Array(Buffer.from(value, "base64url"));
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function malformed(cause?: unknown): MeshError {
  return new MeshError("PROTOCOL_ERROR", "a message about joining that is not of the form that it must have", { cause });
}
