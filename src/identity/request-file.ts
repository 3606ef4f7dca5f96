import { MeshError } from "../core/errors.ts";
import { isNodeId, type NodeId } from "../core/ids.ts";
import { isPattern, MAX_PATTERNS } from "./patterns.ts";

const FORM = "receptor-request/1";
/** Bytes of a file that is read at all. */
export const LONGEST_REQUEST = 64 * 1024;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** What a node asks an authority for that is not in the mesh. Nothing in it is secret. */
export interface CertificateRequest {
  readonly node: NodeId;
  /** Patterns of the groups that it may be a member of. */
  readonly groups: readonly string[];
  /** PKCS #10, DER. */
  readonly request: Uint8Array;
}

export function formatRequest({ node, groups, request }: CertificateRequest): string {
  return `${JSON.stringify({ form: FORM, node, groups, request: Buffer.from(request).toString("base64") }, null, 2)}\n`;
}

/** Throws INVALID_ARGUMENT. */
export function parseRequest(text: string): CertificateRequest {
  const { form, node, groups, request } = fields(text);
  if (form !== FORM) throw invalid();
  if (!isNodeId(node) || !Array.isArray(groups) || groups.length > MAX_PATTERNS || !groups.every(isPattern)) throw invalid();
  if (typeof request !== "string" || !BASE64.test(request)) throw invalid();
  return { node, groups, request: new Uint8Array(Buffer.from(request, "base64")) };
}

function fields(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch (cause) {
    throw invalid(cause);
  }
  throw invalid();
}

function invalid(cause?: unknown): MeshError {
  return new MeshError("INVALID_ARGUMENT", 'this is no request for a certificate: "receptor cert request" writes them', { cause });
}
