import type { Holder } from "../../identity/holders.ts";
import { fits } from "../../identity/patterns.ts";
import type { Signatory } from "../../identity/signatory.ts";
import type { Claim, Forgery, Signatures } from "../../routing/proof.ts";
import type { Credentials } from "../../wire/advertisement.ts";

/** Signatures of advertisements, under the keys of certificates. */
export class NodeSignatures implements Signatures {
  readonly #signatory: Signatory;
  #credentials: Credentials;

  /** `sealingKey`: what is shown of it, 32 bytes. */
  constructor(signatory: Signatory, sealingKey: Uint8Array) {
    this.#signatory = signatory;
    this.#credentials = { certificate: signatory.certificate, sealingKey };
  }

  get credentials(): Credentials {
    const { certificate } = this.#signatory;
    if (certificate !== this.#credentials.certificate) this.#credentials = { ...this.#credentials, certificate };
    return this.#credentials;
  }

  sign(bytes: Uint8Array): Uint8Array {
    return this.#signatory.sign(bytes);
  }

  judge(claim: Claim): Forgery | undefined {
    return this.#signatory.judge(claim, claim.ephemeral, ({ groups }: Holder) =>
      groups === undefined || claim.groups.every((group) => fits(groups, group)) ? undefined : "group",
    );
  }
}
