import type { KeyObject, X509Certificate } from "node:crypto";
import { isMeshError } from "../core/errors.ts";
import type { Identifier } from "../identity/certificate.ts";
import { type Holder, Holders } from "../identity/holders.ts";
import { mayCallItself } from "../identity/names.ts";
import { fits } from "../identity/patterns.ts";
import { isSignedWith, signWith } from "../identity/signing-key.ts";
import type { Claim, Forgery, Signatures } from "../routing/proof.ts";
import type { Credentials } from "../wire/advertisement.ts";

/** With what a node signs, and by what it judges others. */
export interface Signing {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
  readonly authorities: readonly X509Certificate[];
  readonly identifier: Identifier;
}

export interface SignaturesParts {
  /** Milliseconds since 1970. */
  wallClock(): number;
  isRevoked(certificate: X509Certificate): boolean;
}

/** Signatures under the keys of certificates. */
export class NodeSignatures implements Signatures {
  readonly #sealingKey: Uint8Array;
  readonly #parts: SignaturesParts;
  #signing: Signing;
  #holders: Holders;
  #credentials: Credentials;

  constructor(signing: Signing, sealingKey: Uint8Array, parts: SignaturesParts) {
    this.#signing = signing;
    this.#sealingKey = sealingKey;
    this.#parts = parts;
    this.#holders = new Holders(signing.authorities, signing.identifier);
    this.#credentials = this.#show();
  }

  get credentials(): Credentials {
    return this.#credentials;
  }

  /** From now on. */
  replace(signing: Signing): void {
    const before = this.#signing.certificate.fingerprint256;
    this.#signing = signing;
    this.#holders = new Holders(signing.authorities, signing.identifier);
    if (signing.certificate.fingerprint256 !== before) this.#credentials = this.#show();
  }

  sign(bytes: Uint8Array): Uint8Array {
    return signWith(this.#signing.key, bytes);
  }

  judge({ node, ephemeral, groups, certificate, signed, signature }: Claim): Forgery | undefined {
    const holder = this.#holderOf(certificate);
    if (holder === undefined) return "certificate";
    if (!mayCallItself(holder.node, node, ephemeral)) return "node";
    const patterns = holder.groups;
    if (patterns !== undefined && !groups.every((group) => fits(patterns, group))) return "group";
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

  #show(): Credentials {
    return { certificate: new Uint8Array(this.#signing.certificate.raw), sealingKey: this.#sealingKey };
  }
}
