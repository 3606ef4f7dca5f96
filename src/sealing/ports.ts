import type { NodeId } from "../core/ids.ts";
import { SEALED } from "../wire/sealed.ts";

/** Lengths in bytes; of a signature the greatest. */
export const SEAL = { nonce: SEALED.nonce, tag: SEALED.tag, key: 32, secret: 32, signature: 512 } as const;

/** Cryptography for sessions. All of it is synchronous, and costs some ten microseconds a call. */
export interface Ciphers {
  /**
   * Begins a session to whoever holds the private half of `sealingKey` (X25519, 32 bytes). `info` binds both ends to what they think they
   * speak of: who has another one gets another secret. Undefined: it is no usable key.
   */
  encapsulate(sealingKey: Uint8Array, info: Uint8Array): Encapsulation | undefined;
  /** The secret of a session that somebody began to this node, 32 bytes. Undefined: what came is no usable key. */
  decapsulate(encapsulated: Uint8Array, info: Uint8Array): Uint8Array | undefined;
  /** Signs with the key of this node's certificate; at most 512 bytes. */
  sign(bytes: Uint8Array): Uint8Array;
  /** The certificate that `sign` goes with, DER; the same object for as long as it is the same certificate. */
  readonly certificate: Uint8Array;
  /** SHA-256, 32 bytes. */
  hash(bytes: Uint8Array): Uint8Array;
  /** Undefined: the node that is named has signed, and its certificate holds. */
  judge(claim: SignedClaim): Doubt | undefined;
  /** Makes a secret of 32 bytes ready for use. */
  key(secret: Uint8Array): SealKey;
  /** 12 random bytes, the caller's own. */
  nonce(): Uint8Array;
}

/** A session as who begins it has it. */
export interface Encapsulation {
  /** For the other end, 32 bytes; no secret. */
  readonly encapsulated: Uint8Array;
  /** Shared with the other end alone, 32 bytes. */
  readonly secret: Uint8Array;
}

/** That `node` has signed `signed`. */
export interface SignedClaim {
  /** The node that the certificate names, or a command that runs with it. */
  readonly node: NodeId;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Why a claim proves nothing. certificate: not one that this mesh's authority has made for a node. node: for another node. signature: not its
 * key's, or not of these bytes. revoked: by the list that this node has. time: not yet or no longer valid, by this node's clock.
 */
export type Doubt = "certificate" | "node" | "signature" | "revoked" | "time";

/** Seals and opens under one secret. A nonce is used once under it. */
export interface SealKey {
  /** Writes the sealed text, and then its tag of 16 bytes, to `into` at `at`: `plain.length + 16` bytes. `bound` is not written, but needed to open. */
  seal(nonce: Uint8Array, bound: Uint8Array, plain: Uint8Array, into: Uint8Array, at: number): void;
  /**
   * `sealed` ends with its tag. Writes the text to `into` at `at`: `sealed.length - 16` bytes. False: it is not what was sealed with this
   * nonce and `bound`; then nothing that was written may be used.
   */
  open(nonce: Uint8Array, bound: Uint8Array, sealed: Uint8Array, into: Uint8Array, at: number): boolean;
}
