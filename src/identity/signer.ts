import { isMeshError, MeshError, toMeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import { TokenBucket } from "../core/token-bucket.ts";
import { groupPatternsOf, hashOfKey, namesOf, readCertificate, spanOf } from "./certificate.ts";
import type { DenyList } from "./deny-list.ts";
import { decodeEnrolmentRequest, encodeEnrolmentAnswer, type EnrolmentRequest } from "./enrolment.ts";
import { checkOwner, judge, type Owner, refusedToken, shown } from "./judge.ts";
import type { Ledger } from "./ledger.ts";
import type { MeshId } from "./names.ts";
import { decodeRenewalRequest, type RenewalRequest } from "./renewal.ts";
import type { CertificateRequest } from "./request-file.ts";
import type { TokenStore } from "./token-store.ts";
import type { KeyPair } from "./x509.ts";

/** How much before the signing a certificate begins, for clocks that are behind: so long, and no more than a tenth of what it lasts. */
const LEEWAY = 3_600_000;

/** Requests a second that one signer looks at, and at once: what comes from many addresses at a time must leave time for the mesh. */
const RATE = 20;
const BURST = 40;

export interface SignerOptions {
  readonly mesh: MeshId;
  readonly authority: KeyPair;
  /** How long the certificates last that it makes: milliseconds. */
  readonly validity: number;
}

export interface SignerParts {
  readonly tokens: TokenStore;
  readonly ledger: Ledger;
  /** What was revoked, as it stands now. */
  denied(): Promise<DenyList | undefined>;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  wallClock(): number;
}

/** Answers machines that want to join. */
export class Signer {
  readonly #options: SignerOptions;
  readonly #parts: SignerParts;
  readonly #bucket = new TokenBucket(RATE, BURST);
  /** Apart, so that strangers who ask keep no member from renewing. */
  readonly #renewals = new TokenBucket(RATE, BURST);
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SignerOptions, parts: SignerParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** The answer to a request of at most LIMITS.enrolment bytes; undefined: hang up without a word. Never rejects. */
  async answer(bytes: Uint8Array, remoteHost: string): Promise<Uint8Array | undefined> {
    const { log } = this.#parts;
    if (!this.#bucket.take(performance.now())) return undefined;
    try {
      const request = decodeEnrolmentRequest(bytes);
      // One after another: two that want one id at a time must not both find it free.
      const turn = this.#turn.then(() => this.#sign(request));
      this.#turn = turn.catch(() => undefined);
      const certificate = await turn;
      log.info({ event: "enrolled", peer: request.node, token: request.token, address: remoteHost }, "a node was let into the mesh");
      return encodeEnrolmentAnswer({ type: "issued", certificate });
    } catch (error) {
      if (!isMeshError(error)) {
        log.error({ event: "enrolment-failed", address: remoteHost, error }, "a request to join could not be answered");
        return undefined;
      }
      log.warn(
        { event: "enrolment-refused", address: remoteHost, code: error.code, reason: error.data["reason"] },
        "a request to join was refused",
      );
      // What the disk says is no business of strangers.
      if (error.code === "CONFIG_INVALID" || error.code === "PROTOCOL_ERROR") return undefined;
      const { code, message, data } = error;
      return encodeEnrolmentAnswer({ type: "refused", code, message, data });
    }
  }

  /** The answer to a member that wants its certificate renewed. Rejects with BUSY where too many ask; otherwise never. */
  async renew(bytes: Uint8Array): Promise<Uint8Array> {
    const { log } = this.#parts;
    if (!this.#renewals.take(performance.now())) throw new MeshError("BUSY", "this node signs no more certificates at the moment");
    try {
      const request = decodeRenewalRequest(bytes, readCertificate(this.#options.authority.certificate, "the authority"));
      const turn = this.#turn.then(() => this.#renew(request));
      this.#turn = turn.catch(() => undefined);
      const { node, certificate } = await turn;
      log.info({ event: "renewed", peer: node }, "a certificate was renewed");
      return encodeEnrolmentAnswer({ type: "issued", certificate });
    } catch (error) {
      const { code, message, data } = toMeshError(error);
      log.warn({ event: "renewal-refused", code, error: message }, "a certificate was not renewed");
      if (code !== "CONFIG_INVALID" && code !== "INTERNAL") return encodeEnrolmentAnswer({ type: "refused", code, message, data });
      return encodeEnrolmentAnswer({ type: "refused", code: "INTERNAL", message: "the signer has trouble: its log says which", data: {} });
    }
  }

  /**
   * A certificate for a request that whoever runs the mesh has looked at. Rejects with DENIED or CERTIFICATE_REVOKED where the id has another
   * key, and it is not to be replaced; CERTIFICATE_INVALID.
   */
  async sign({ node, groups, request }: CertificateRequest, replace: boolean): Promise<string> {
    const { requestKeyHash } = await import("./x509.ts");
    const key = await requestKeyHash(request);
    const owner = await this.#parts.ledger.ownerOf(node);
    const revoked = await this.#isRevoked(node, owner);
    checkOwner({ node, groups, key, revoked }, owner, replace, this.#parts.wallClock());
    return await this.issue(node, groups, request);
  }

  /** A certificate for a node that needs no token: this one itself. */
  async issue(node: NodeId, groups: readonly string[], request: Uint8Array): Promise<string> {
    const { ledger, denied, wallClock } = this.#parts;
    const { mesh, authority, validity } = this.#options;
    const now = wallClock();
    const out = (await denied())?.since(node);
    const early = now - Math.min(LEEWAY, validity / 10);
    const { signNode } = await import("./x509.ts");
    const certificate = await signNode(authority, request, {
      mesh,
      node,
      groups,
      // What begins before the node was out is revoked.
      validity: { from: out === undefined ? early : Math.max(early, (out + 1) * 1_000), to: now + validity },
    });
    await ledger.note(node, certificate);
    return certificate;
  }

  async #sign({ token: id, secret, node, groups, request }: EnrolmentRequest): Promise<string> {
    const { tokens, ledger, wallClock } = this.#parts;
    const { requestKeyHash } = await import("./x509.ts");
    const now = wallClock();
    // The request's key costs time, so its sender shows the secret first.
    const token = shown(await tokens.get(id), secret);
    const key = await requestKeyHash(request);
    const owner = await ledger.ownerOf(node);
    const revoked = await this.#isRevoked(node, owner);
    const verdict = judge(token, { node, groups, key, revoked }, owner, now);
    if (verdict === "new" && !(await tokens.use(token, { node, key, at: now })))
      throw refusedToken("used-up", "the join token has been used as often as it may be: ask for a new one");
    return await this.issue(node, token.groups, request);
  }

  /** Whether the certificate that the id had last was revoked. */
  async #isRevoked(node: NodeId, owner: Owner | undefined): Promise<boolean> {
    const out = (await this.#parts.denied())?.since(node);
    return out !== undefined && (owner === undefined || Math.floor(owner.from / 1_000) <= out);
  }

  async #renew({ certificate: present, request }: RenewalRequest): Promise<{ readonly node: NodeId; readonly certificate: string }> {
    const { ledger, denied, wallClock } = this.#parts;
    const { mesh } = this.#options;
    const names = namesOf(present);
    if (names.mesh !== mesh) throw new MeshError("CERTIFICATE_INVALID", `the present certificate is of the mesh ${names.mesh}`);
    const { from, until } = spanOf(present);
    const now = wallClock();
    if (now >= until || now < from)
      throw new MeshError("CERTIFICATE_INVALID", "the present certificate does not hold now: join with a token");
    const revoked = (await denied())?.refuses(present);
    if (revoked !== undefined) throw revoked;
    const { requestKeyHash } = await import("./x509.ts");
    const key = await requestKeyHash(request);
    const owner = await ledger.ownerOf(names.node);
    // A certificate that another key has taken the place of is worth nothing here, unless that key asks: its answer was lost.
    if (owner !== undefined && owner.from > from && owner.key !== hashOfKey(present) && owner.key !== key)
      throw new MeshError("DENIED", `the id "${names.node}" belongs to another key by now`, { data: { node: names.node } });
    return { node: names.node, certificate: await this.issue(names.node, groupPatternsOf(present), request) };
  }
}
