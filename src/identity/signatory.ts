import type { KeyObject, X509Certificate } from "node:crypto";
import { isMeshError } from "../core/errors.ts";
import type { Doubt, SignedClaim } from "../sealing/ports.ts";
import type { Identifier } from "./certificate.ts";
import { type Holder, Holders } from "./holders.ts";
import { mayCallItself } from "./names.ts";
import { isSignedWith, signWith } from "./signing-key.ts";

/** With what a node signs, and by what it judges others. */
export interface Signing {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
  readonly authorities: readonly X509Certificate[];
  readonly identifier: Identifier;
}

export interface SignatoryParts {
  /** Milliseconds since 1970. */
  wallClock(): number;
  isRevoked(certificate: X509Certificate): boolean;
}

/** A member of the mesh, by its certificate: signs what it says, and judges what others have signed. */
export class Signatory {
  readonly #parts: SignatoryParts;
  #signing: Signing;
  #holders: Holders;
  #certificate: Uint8Array;

  constructor(signing: Signing, parts: SignatoryParts) {
    this.#parts = parts;
    this.#signing = signing;
    this.#holders = new Holders(signing.authorities, signing.identifier);
    this.#certificate = new Uint8Array(signing.certificate.raw);
  }

  /** DER; the same object for as long as it is the same certificate. */
  get certificate(): Uint8Array {
    return this.#certificate;
  }

  /** From now on. */
  replace(signing: Signing): void {
    const before = this.#signing.certificate.fingerprint256;
    this.#signing = signing;
    this.#holders = new Holders(signing.authorities, signing.identifier);
    if (signing.certificate.fingerprint256 !== before) this.#certificate = new Uint8Array(signing.certificate.raw);
  }

  /** At most 512 bytes. */
  sign(bytes: Uint8Array): Uint8Array {
    return signWith(this.#signing.key, bytes);
  }

  /**
   * Undefined: the node that is named has signed. `ephemeral`: it may be a command that runs with the certificate. `further` is asked whether
   * the holder may say what it says, before the signature is looked at, which takes longest.
   */
  judge(claim: SignedClaim, ephemeral: boolean): Doubt | undefined;
  judge<Further extends string>(
    claim: SignedClaim,
    ephemeral: boolean,
    further: (holder: Holder) => Further | undefined,
  ): Doubt | Further | undefined;
  judge<Further extends string>(
    { node, certificate, signed, signature }: SignedClaim,
    ephemeral: boolean,
    further?: (holder: Holder) => Further | undefined,
  ): Doubt | Further | undefined {
    const holder = this.#holderOf(certificate);
    if (holder === undefined) return "certificate";
    if (!mayCallItself(holder.node, node, ephemeral)) return "node";
    const doubt = further?.(holder);
    if (doubt !== undefined) return doubt;
    if (!isSignedWith(holder.key, signed, signature)) return "signature";
    if (this.#parts.isRevoked(holder.certificate)) return "revoked";
    const now = this.#parts.wallClock();
    return now >= holder.from && now <= holder.until ? undefined : "time";
  }

  #holderOf(certificate: Uint8Array): Holder | undefined {
    try {
      return this.#holders.read(certificate);
    } catch (error) {
      if (isMeshError(error)) return undefined;
      throw error;
    }
  }
}
