import type { NodeId } from "../../src/core/ids.ts";
import type { SealingMeans } from "../../src/node/engine/engine-options.ts";
import type { Ciphers, Doubt, Encapsulation, SealKey, SignedClaim } from "../../src/sealing/ports.ts";
import { FLAG, OFFSET, ROUTED_HEADER, word } from "../../src/wire/frame.ts";
import { clearUnbound, readSealedParts } from "../../src/wire/sealed.ts";
import { digest, type SimAuthority } from "./signatures.ts";

const TAG = 16;
const NONCE = 12;

/** What only the one who made a simulated mesh knows: the key of every session of it. */
export class SimSecrets {
  readonly #authority: SimAuthority;
  readonly #keys = new Map<string, SealKey>();
  readonly #ciphers = new Map<NodeId, SimCiphers>();

  constructor(authority: SimAuthority) {
    this.#authority = authority;
  }

  /** One object for all lives of the node: what it has used once is not used again. */
  ciphersOf(id: NodeId): SimCiphers {
    let ciphers = this.#ciphers.get(id);
    if (ciphers === undefined) this.#ciphers.set(id, (ciphers = new SimCiphers(id, this.#authority, this)));
    return ciphers;
  }

  meansOf(id: NodeId): SealingMeans {
    return { mode: "required", ciphers: this.ciphersOf(id), sealingKey: this.#authority.credentialsOf(id).sealingKey };
  }

  note(encapsulated: Uint8Array, key: SealKey): void {
    this.#keys.set(nameAt(encapsulated, 0), key);
  }

  /** The body of a sealed frame. Undefined: it is not what an honest node has sealed. */
  open(frame: Uint8Array): Uint8Array | undefined {
    const parts = readSealedParts(new DataView(frame.buffer, frame.byteOffset, frame.byteLength), 0, frame.length);
    const bound = frame.slice(0, parts.nonceAt);
    clearUnbound(bound);
    const sealed = frame.subarray(parts.textAt);
    const into = new Uint8Array(sealed.length - TAG);
    const key = this.#keys.get(nameAt(frame, ROUTED_HEADER));
    return key?.open(frame.subarray(parts.nonceAt, parts.textAt), bound.subarray(OFFSET.kind), sealed, into, 0) === true ? into : undefined;
  }
}

/**
 * The ciphers of a simulated node: the same in each run, and next to free. Nobody guesses: secrets are hashes over what only one node
 * is asked for, texts are xored with a stream, and a tag is a checksum over all that it binds.
 */
export class SimCiphers implements Ciphers {
  readonly certificate: Uint8Array;
  /** What else is held against a claim. */
  doubt: (claim: SignedClaim) => Doubt | undefined = () => undefined;
  readonly #id: NodeId;
  readonly #authority: SimAuthority;
  readonly #secrets: SimSecrets;
  readonly #sealingKey: Uint8Array;
  #begun = 0;
  #nonces = 0;

  constructor(id: NodeId, authority: SimAuthority, secrets: SimSecrets) {
    this.#id = id;
    this.#authority = authority;
    this.#secrets = secrets;
    const { certificate, sealingKey } = authority.credentialsOf(id);
    this.certificate = certificate;
    this.#sealingKey = sealingKey;
  }

  encapsulate(sealingKey: Uint8Array, info: Uint8Array): Encapsulation | undefined {
    if (!isUsable(sealingKey)) return undefined;
    const encapsulated = digest(`session of ${this.#id}`, Uint32Array.of(++this.#begun));
    const secret = secretOf(sealingKey, encapsulated, info);
    this.#secrets.note(encapsulated, new SimKey(secret));
    return { encapsulated, secret };
  }

  decapsulate(encapsulated: Uint8Array, info: Uint8Array): Uint8Array | undefined {
    return isUsable(encapsulated) ? secretOf(this.#sealingKey, encapsulated, info) : undefined;
  }

  sign(bytes: Uint8Array): Uint8Array {
    return this.#authority.signatureOf(this.#id, bytes);
  }

  hash(bytes: Uint8Array): Uint8Array {
    return digest("hash", bytes);
  }

  judge(claim: SignedClaim): Doubt | undefined {
    return this.#authority.judge({ ...claim, ephemeral: true }) ?? this.doubt(claim);
  }

  key(secret: Uint8Array): SealKey {
    return new SimKey(secret);
  }

  nonce(): Uint8Array {
    return digest(`nonce of ${this.#id}`, Uint32Array.of(++this.#nonces)).subarray(0, NONCE);
  }
}

class SimKey implements SealKey {
  readonly #a: number;
  readonly #b: number;

  constructor(secret: Uint8Array) {
    this.#a = word(secret, 0);
    this.#b = word(secret, 4);
  }

  seal(nonce: Uint8Array, bound: Uint8Array, plain: Uint8Array, into: Uint8Array, at: number): void {
    this.#xor(nonce, plain, plain.length, into, at);
    this.#tag(nonce, bound, plain, into, at + plain.length);
  }

  open(nonce: Uint8Array, bound: Uint8Array, sealed: Uint8Array, into: Uint8Array, at: number): boolean {
    const length = sealed.length - TAG;
    if (length < 0) return false;
    this.#xor(nonce, sealed, length, into, at);
    const tag = new Uint8Array(TAG);
    this.#tag(nonce, bound, into.subarray(at, at + length), tag, 0);
    return tag.every((byte, i) => byte === sealed[length + i]);
  }

  #xor(nonce: Uint8Array, from: Uint8Array, length: number, into: Uint8Array, at: number): void {
    let state = mixed(this.#a ^ word(nonce, 0)) ^ mixed(this.#b ^ word(nonce, 4) ^ Math.imul(word(nonce, 8), 0x9e3779b1));
    let stream = 0;
    for (let i = 0; i < length; i++) {
      if ((i & 3) === 0) stream = mixed((state = (state + 0x6d2b79f5) | 0));
      into[at + i] = (from[i] as number) ^ (stream >>> ((i & 3) * 8));
    }
  }

  /** A changed bit anywhere changes a state, and no step after that can change it back. */
  #tag(nonce: Uint8Array, bound: Uint8Array, plain: Uint8Array, into: Uint8Array, at: number): void {
    let [a, b] = [this.#a ^ bound.length, this.#b ^ plain.length];
    for (const part of [nonce, bound, plain]) {
      for (let i = 0; i < part.length; i++) {
        a = Math.imul(a ^ (part[i] as number), 0x01000193);
        b = Math.imul(b ^ (part[i] as number), 0x85ebca6b);
      }
    }
    const view = new DataView(into.buffer, into.byteOffset + at, TAG);
    for (const [i, value] of [mixed(a), mixed(b), mixed(a ^ this.#b), mixed(b ^ this.#a)].entries()) view.setUint32(4 * i, value >>> 0);
  }
}

/** Whether a frame says that it is sealed. */
export function isSealed(frame: Uint8Array): boolean {
  return ((frame[OFFSET.flags] as number) & FLAG.sealed) !== 0;
}

function secretOf(sealingKey: Uint8Array, encapsulated: Uint8Array, info: Uint8Array): Uint8Array {
  return digest("private half", sealingKey, encapsulated, info);
}

function isUsable(key: Uint8Array): boolean {
  return key.length === 32 && key.some((byte) => byte !== 0);
}

function nameAt(bytes: Uint8Array, at: number): string {
  return `${word(bytes, at)} ${word(bytes, at + 4)}`;
}

function mixed(value: number): number {
  let t = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  t = Math.imul(t ^ (t >>> 12), 0x297a2d39);
  return t ^ (t >>> 15);
}
