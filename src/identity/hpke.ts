import { createHmac } from "node:crypto";
import { concat, utf8 } from "../core/bytes.ts";
import { type AgreementKey, agree, createAgreementKey } from "./x25519.ts";

/*
 * HPKE, RFC 9180, as far as secrets are exported: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, export-only. Sections and labels are
 * the RFC's.
 */

const HASH = 32;
const NONE = new Uint8Array(0);
const MODE_BASE = Uint8Array.of(0x00);
const KEM = concat([utf8("KEM"), Uint8Array.of(0x00, 0x20)]);
const HPKE = concat([utf8("HPKE"), Uint8Array.of(0x00, 0x20, 0x00, 0x01, 0xff, 0xff)]);
const VERSION = utf8("HPKE-v1");
/** The only length that is asked for, in two bytes. */
const LENGTH = Uint8Array.of(0x00, HASH);
/** HKDF-Expand gives one block, whose number this is. */
const FIRST = Uint8Array.of(0x01);
const NO_PSK = extract(HPKE, NONE, "psk_id_hash", NONE);

/** What a sender has after its setup. */
export interface Sent {
  /** `enc`, for the receiver, 32 bytes; no secret. */
  readonly encapsulated: Uint8Array;
  /** For `exportSecret`. */
  readonly exporter: Uint8Array;
}

/** SetupBaseS, to who shows `receiver`. Undefined: that is no usable key. `ephemeral` is another one each time. */
export function setupSender(receiver: Uint8Array, info: Uint8Array, ephemeral: AgreementKey = createAgreementKey()): Sent | undefined {
  const shared = encapsulate(receiver, ephemeral);
  return shared && { encapsulated: ephemeral.shown, exporter: exporterSecret(shared, info) };
}

/** SetupBaseR, of who has `own`: the exporter, for `exportSecret`. Undefined: `encapsulated` is no usable key. */
export function setupReceiver(encapsulated: Uint8Array, own: AgreementKey, info: Uint8Array): Uint8Array | undefined {
  const shared = decapsulate(encapsulated, own);
  return shared && exporterSecret(shared, info);
}

/** Context.Export: 32 bytes, others for each context. */
export function exportSecret(exporter: Uint8Array, context: Uint8Array): Uint8Array {
  return expand(HPKE, exporter, "sec", [context]);
}

/** Encap: the shared secret. */
export function encapsulate(receiver: Uint8Array, ephemeral: AgreementKey): Uint8Array | undefined {
  const agreed = agree(ephemeral.key, receiver);
  return agreed && sharedSecret(agreed, ephemeral.shown, receiver);
}

/** Decap: the shared secret. */
export function decapsulate(encapsulated: Uint8Array, own: AgreementKey): Uint8Array | undefined {
  const agreed = agree(own.key, encapsulated);
  return agreed && sharedSecret(agreed, encapsulated, own.shown);
}

/** ExtractAndExpand, 4.1. */
function sharedSecret(agreed: Uint8Array, encapsulated: Uint8Array, receiver: Uint8Array): Uint8Array {
  return expand(KEM, extract(KEM, NONE, "eae_prk", agreed), "shared_secret", [encapsulated, receiver]);
}

/** KeySchedule, 5.1, without a pre-shared key. */
function exporterSecret(shared: Uint8Array, info: Uint8Array): Uint8Array {
  const secret = extract(HPKE, shared, "secret", NONE);
  return expand(HPKE, secret, "exp", [MODE_BASE, NO_PSK, extract(HPKE, NONE, "info_hash", info)]);
}

/** LabeledExtract. */
function extract(suite: Uint8Array, salt: Uint8Array, label: string, material: Uint8Array): Uint8Array {
  return hmac(salt, [VERSION, suite, utf8(label), material]);
}

/** LabeledExpand, to 32 bytes. */
function expand(suite: Uint8Array, key: Uint8Array, label: string, info: readonly Uint8Array[]): Uint8Array {
  return hmac(key, [LENGTH, VERSION, suite, utf8(label), ...info, FIRST]);
}

function hmac(key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(concat(parts)).digest());
}
