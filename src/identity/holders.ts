import { createHash, type KeyObject, X509Certificate } from "node:crypto";
import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { LIMITS } from "../core/limits.ts";
import { groupPatternsOf, type Identifier, isIssued, spanOf } from "./certificate.ts";
import { parseAuthorityName } from "./names.ts";
import { signs } from "./signing-key.ts";

/** What certificates are made for: one for anything but TLS is no node's. */
const TLS_PURPOSES: ReadonlySet<string> = new Set(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);

/** Whom a certificate makes a node of the mesh. */
export interface Holder {
  readonly certificate: X509Certificate;
  readonly node: NodeId;
  readonly key: KeyObject;
  /** Patterns of the groups that it may be in; undefined: any, since another authority than that of `receptor mesh init` names none. */
  readonly groups: readonly string[] | undefined;
  /** Milliseconds since 1970, for its certificate and its authority's together. */
  readonly from: number;
  readonly until: number;
}

/**
 * Reads the certificates that nodes show of themselves. Those that were good are remembered, as many as a mesh has nodes: to look at one
 * takes four times as long as to check a signature.
 */
export class Holders {
  readonly #authorities: readonly X509Certificate[];
  readonly #identifier: Identifier;
  /** By the hash of the certificate; the one that was asked for last comes last. */
  readonly #known = new Map<string, Holder>();

  /** `authorities`: who may have signed a certificate, without another one between. */
  constructor(authorities: readonly X509Certificate[], identifier: Identifier) {
    this.#authorities = authorities;
    this.#identifier = identifier;
  }

  /** Throws CERTIFICATE_INVALID where it is none of this mesh's; whether its time is over is left to the caller. */
  read(der: Uint8Array): Holder {
    const hash = createHash("sha256").update(der).digest("base64");
    const holder = this.#known.get(hash) ?? this.#look(parse(der));
    this.#known.delete(hash);
    this.#known.set(hash, holder);
    if (this.#known.size > LIMITS.nodes) this.#known.delete(this.#known.keys().next().value ?? hash);
    return holder;
  }

  #look(certificate: X509Certificate): Holder {
    const authority = issuerOf(certificate, this.#authorities);
    if (authority === undefined) throw invalid("is not signed by the mesh's authority");
    const purposes = certificate.keyUsage as readonly string[] | undefined;
    if (purposes !== undefined && !purposes.some((purpose) => TLS_PURPOSES.has(purpose))) throw invalid("is not made for TLS");
    const node = this.#identifier.nodeOf(certificate);
    if (node === undefined) throw invalid("names no node");
    const key = publicKeyOf(certificate);
    if (key === undefined || !signs(key)) throw invalid("has a key of a kind that nodes do not sign with");
    const [own, above] = [spanOf(certificate), spanOf(authority)];
    return {
      certificate,
      node,
      key,
      groups: parseAuthorityName(authority.subject) === undefined ? undefined : groupPatternsOf(certificate),
      from: Math.max(own.from, above.from),
      until: Math.min(own.until, above.until),
    };
  }
}

/** Which of `authorities` has signed the certificate. */
export function issuerOf(certificate: X509Certificate, authorities: readonly X509Certificate[]): X509Certificate | undefined {
  return authorities.find((each) => each.ca && isIssued(certificate, each));
}

/** Undefined where OpenSSL does not know such keys. */
function publicKeyOf(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey;
  } catch {
    return undefined;
  }
}

function parse(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw new MeshError("CERTIFICATE_INVALID", "what a node shows of itself is no certificate", { cause });
  }
}

function invalid(what: string): MeshError {
  return new MeshError("CERTIFICATE_INVALID", `the certificate ${what}`);
}
