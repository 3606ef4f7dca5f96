import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { isSecret } from "./join-token.ts";
import { isCertifiable, LONGEST_CERTIFIED } from "./names.ts";
import { fits } from "./patterns.ts";

/** What a signer keeps of a token: never its secret. */
export interface TokenRecord {
  readonly id: string;
  /** SHA-256 of the secret, in hexadecimal. */
  readonly secretHash: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly expires: number;
  /** How many nodes it lets in. */
  readonly uses: number;
  /** Patterns of the ids that it lets in. */
  readonly ids: readonly string[];
  /** Patterns of the groups that those may be members of. */
  readonly groups: readonly string[];
  /** An id that another key has a certificate for may be given to a new key. */
  readonly replace: boolean;
}

/** A node that a token has let in. */
export interface TokenUse {
  readonly node: NodeId;
  /** Hash of its public key. */
  readonly key: string;
  readonly at: number;
}

export interface TokenState extends TokenRecord {
  readonly used: readonly TokenUse[];
  readonly revoked: boolean;
}

/** Who wants in. */
export interface Applicant {
  readonly node: NodeId;
  readonly groups: readonly string[];
  /** Hash of its public key. */
  readonly key: string;
  /** The certificate that the id had last was revoked. */
  readonly revoked?: boolean;
}

/** Who has the id now, as far as this signer has issued certificates. */
export interface Owner {
  readonly key: string;
  /** When the certificate begins and ends: milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
}

/** again: the same node with the same key has used the token, so its answer was lost, and this is no further use. */
export type Verdict = "new" | "again";

export type TokenStatus = "open" | "revoked" | "expired" | "used-up";

export function statusOf(token: TokenState, now: number): TokenStatus {
  if (token.revoked) return "revoked";
  if (now >= token.expires) return "expired";
  return token.used.length >= token.uses ? "used-up" : "open";
}

const CLOSED: Readonly<Record<Exclude<TokenStatus, "open">, string>> = {
  revoked: "the join token was revoked",
  expired: "the join token has expired",
  "used-up": "the join token has been used as often as it may be",
};

/** The token, for who knows its secret. Throws TOKEN_REFUSED; who does not know it hears one thing, whatever is wrong. */
export function shown(token: TokenState | undefined, secret: Uint8Array): TokenState {
  if (token !== undefined && isSecret(secret, token.secretHash)) return token;
  throw refusedToken("unknown", "the join token is not known here");
}

/**
 * Whether a signer makes a certificate for one who has shown the secret. Throws TOKEN_REFUSED, or DENIED where the token does not go so
 * far; CERTIFICATE_REVOKED.
 */
export function judge(token: TokenState, applicant: Applicant, owner: Owner | undefined, now: number): Verdict {
  const { node, key } = applicant;
  const again = token.used.some((use) => use.node === node && use.key === key);
  const status = statusOf(token, now);
  if (status !== "open" && !(status === "used-up" && again)) throw refusedToken(status, `${CLOSED[status]}: ask for a new one`);
  if (!fits(token.ids, node)) throw denied(node, `the join token does not let in "${node}"`);
  const group = applicant.groups.find((name) => !fits(token.groups, name));
  if (group !== undefined) throw denied(node, `the join token lets nobody into the group "${group}"`);
  checkOwner(applicant, owner, token.replace, now);
  return again ? "again" : "new";
}

/**
 * Whether an id may have a certificate for the applicant's key; `replace`: also where another key has it. Throws DENIED, or
 * CERTIFICATE_REVOKED.
 */
export function checkOwner({ node, key, revoked }: Applicant, owner: Owner | undefined, replace: boolean, now: number): void {
  if (!isCertifiable(node))
    throw denied(node, `"${node}" can be no id of a member: at most ${LONGEST_CERTIFIED} characters, and no ":cli-" id`);
  if (revoked === true && (!replace || owner?.key === key)) {
    const how = `a token made with --replace --id ${node} gives the id to another key`;
    throw new MeshError("CERTIFICATE_REVOKED", `the certificate of "${node}" was revoked: ${how}`, { data: { node } });
  }
  if (owner !== undefined && owner.key !== key && owner.until > now && !replace)
    throw denied(node, `the id "${node}" belongs to another node: choose another, or ask for a token that replaces that node`);
}

/** `reason`: unknown, revoked, expired, used-up, other-mesh. */
export function refusedToken(reason: string, message: string): MeshError {
  return new MeshError("TOKEN_REFUSED", message, { data: { reason } });
}

function denied(node: NodeId, message: string): MeshError {
  return new MeshError("DENIED", message, { data: { node } });
}
