import { isMeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import { TokenBucket } from "../core/token-bucket.ts";
import { decodeEnrolmentRequest, encodeEnrolmentAnswer, type EnrolmentRequest } from "./enrolment.ts";
import { judge, refusedToken, shown } from "./judge.ts";
import type { Ledger } from "./ledger.ts";
import type { MeshId } from "./names.ts";
import type { TokenStore } from "./token-store.ts";
import type { KeyPair } from "./x509.ts";

/** How long a node's certificate lasts, and how much before the signing it begins, for clocks that are behind. Milliseconds. */
export const LEAF = { lifetime: 90 * 86_400_000, leeway: 3_600_000 } as const;

/** Requests a second that one signer looks at, and at once: what comes from many addresses at a time must leave time for the mesh. */
const RATE = 20;
const BURST = 40;

export interface SignerOptions {
  readonly mesh: MeshId;
  readonly authority: KeyPair;
}

export interface SignerParts {
  readonly tokens: TokenStore;
  readonly ledger: Ledger;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  wallClock(): number;
}

/** Answers machines that want to join. */
export class Signer {
  readonly #options: SignerOptions;
  readonly #parts: SignerParts;
  readonly #bucket = new TokenBucket(RATE, BURST);
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

  /** A certificate for a node that needs no token: this one itself. */
  async issue(node: NodeId, groups: readonly string[], request: Uint8Array): Promise<string> {
    const { ledger, wallClock } = this.#parts;
    const { mesh, authority } = this.#options;
    const now = wallClock();
    const { signNode } = await import("./x509.ts");
    const certificate = await signNode(authority, request, {
      mesh,
      node,
      groups,
      validity: { from: now - LEAF.leeway, to: now + LEAF.lifetime },
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
    const verdict = judge(token, { node, groups, key }, await ledger.ownerOf(node), now);
    if (verdict === "new" && !(await tokens.use(token, { node, key, at: now })))
      throw refusedToken("used-up", "the join token has been used as often as it may be: ask for a new one");
    return await this.issue(node, token.groups, request);
  }
}
