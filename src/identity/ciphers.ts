import { createCipheriv, createDecipheriv, createSecretKey, hash, type KeyObject, randomFillSync } from "node:crypto";
import { utf8 } from "../core/bytes.ts";
import { type Ciphers, type Doubt, type Encapsulation, SEAL, type SealKey, type SignedClaim } from "../sealing/ports.ts";
import { Disposal } from "./disposal.ts";
import { exportSecret, setupReceiver, setupSender } from "./hpke.ts";
import type { Signatory } from "./signatory.ts";
import type { AgreementKey } from "./x25519.ts";

/** What the secret of a session is exported for: another use of the same agreement has another context, and so another secret. */
const CONTEXT = utf8("receptor-mesh session 1");
const CIPHER = "aes-256-gcm";
const OPTIONS = { authTagLength: SEAL.tag };
/** Nonces that are drawn at once: a call for each would take longer than to seal a small message. */
const NONCES = 128;

/** Cryptography of a node that has a certificate, over OpenSSL. It signs and judges as `signatory` does at the moment. */
export class NodeCiphers implements Ciphers {
  readonly #signatory: Signatory;
  readonly #sealingKey: AgreementKey;
  readonly #nonces = new Uint8Array(NONCES * SEAL.nonce);
  readonly #disposal = new Disposal();
  #used = this.#nonces.length;

  constructor(signatory: Signatory, sealingKey: AgreementKey) {
    this.#signatory = signatory;
    this.#sealingKey = sealingKey;
  }

  get certificate(): Uint8Array {
    return this.#signatory.certificate;
  }

  encapsulate(sealingKey: Uint8Array, info: Uint8Array): Encapsulation | undefined {
    const sent = setupSender(sealingKey, info);
    return sent && { encapsulated: sent.encapsulated, secret: exportSecret(sent.exporter, CONTEXT) };
  }

  decapsulate(encapsulated: Uint8Array, info: Uint8Array): Uint8Array | undefined {
    const exporter = setupReceiver(encapsulated, this.#sealingKey, info);
    return exporter && exportSecret(exporter, CONTEXT);
  }

  sign(bytes: Uint8Array): Uint8Array {
    return this.#signatory.sign(bytes);
  }

  hash(bytes: Uint8Array): Uint8Array {
    return new Uint8Array(hash("sha256", bytes, "buffer"));
  }

  judge(claim: SignedClaim): Doubt | undefined {
    return this.#signatory.judge(claim, true);
  }

  key(secret: Uint8Array): SealKey {
    return new GcmKey(secret, this.#disposal);
  }

  nonce(): Uint8Array {
    if (this.#used === this.#nonces.length) {
      randomFillSync(this.#nonces);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += SEAL.nonce;
    return this.#nonces.slice(at, this.#used);
  }
}

/** AES-256-GCM with the whole tag. */
class GcmKey implements SealKey {
  readonly #key: KeyObject;
  readonly #disposal: Disposal;

  constructor(secret: Uint8Array, disposal: Disposal) {
    this.#key = createSecretKey(secret);
    this.#disposal = disposal;
  }

  seal(nonce: Uint8Array, bound: Uint8Array, plain: Uint8Array, into: Uint8Array, at: number): void {
    const cipher = createCipheriv(CIPHER, this.#key, nonce, OPTIONS).setAAD(bound);
    const sealed = cipher.update(plain);
    into.set(sealed, at);
    this.#disposal.dispose(sealed);
    cipher.final();
    into.set(cipher.getAuthTag(), at + plain.length);
  }

  open(nonce: Uint8Array, bound: Uint8Array, sealed: Uint8Array, into: Uint8Array, at: number): boolean {
    const end = sealed.length - SEAL.tag;
    if (end < 0 || nonce.length !== SEAL.nonce) return false;
    const decipher = createDecipheriv(CIPHER, this.#key, nonce, OPTIONS).setAAD(bound).setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(0, end));
    try {
      decipher.final();
      into.set(plain, at);
      return true;
    } catch {
      return false;
    } finally {
      this.#disposal.dispose(plain);
    }
  }
}
