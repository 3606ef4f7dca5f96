import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { LIMITS } from "../core/limits.ts";
import type { NodeHash } from "../core/node-hash.ts";
import { Fields } from "./check.ts";
import { decode, encode, type Plain } from "./codec.ts";
import { FLAG, OFFSET, ROUTED_HEADER } from "./frame.ts";

/** Bytes of the two secrets' halves, hashes and nonces that a sealed frame has. */
export const SEALED = { encapsulated: 32, hash: 32, nonce: 12, tag: 16 } as const;

/**
 * Behind the routed header of a sealed frame: u64 session, which is how its encapsulated key begins; u32 heard, with which the session begins that
 * was last heard the other way; u32 time to live as it was given; u16 length of the offer, and the offer; nonce; sealed text and tag.
 */
const AT = {
  session: ROUTED_HEADER,
  heard: ROUTED_HEADER + 8,
  ttl: ROUTED_HEADER + 12,
  length: ROUTED_HEADER + 16,
  offer: ROUTED_HEADER + 18,
} as const;

/** Where a sealed frame's parts lie. */
export interface SealedParts {
  /** Which begins its encapsulated key. */
  readonly session: NodeHash;
  readonly heard: number;
  readonly ttl: number;
  readonly offerAt: number;
  readonly nonceAt: number;
  readonly textAt: number;
}

/** What begins a session, for who has not heard of it. */
export interface SessionOffer {
  readonly sender: NodeId;
  readonly encapsulated: Uint8Array;
  /** Milliseconds since 1970 by the sender's clock; of two sessions of one sender the later has the greater. */
  readonly created: number;
  /** SHA-256 of the sender's certificate. */
  readonly hash: Uint8Array;
  /** The certificate, DER; left out where the other end has it. */
  readonly certificate: Uint8Array | undefined;
  /** By the certificate's key, of `sessionClaim`. */
  readonly signature: Uint8Array;
}

/** How long the part of a sealed frame is that stands before its text. */
export function sealedTextAt(offerLength: number): number {
  return AT.offer + offerLength + SEALED.nonce;
}

/** Writes what stands before the nonce; the header is written already. */
export function writeSealedPrefix(
  bytes: Uint8Array,
  view: DataView,
  facts: { readonly session: Uint8Array; readonly heard: number; readonly ttl: number; readonly offer: Uint8Array },
): void {
  for (let i = 0; i < 8; i++) bytes[AT.session + i] = facts.session[i] as number;
  view.setUint32(AT.heard, facts.heard);
  view.setUint32(AT.ttl, facts.ttl);
  view.setUint16(AT.length, facts.offer.length);
  if (facts.offer.length > 0) bytes.set(facts.offer, AT.offer);
}

/** Throws PROTOCOL_ERROR where the frame is too short for what it says. */
export function readSealedParts(view: DataView, start: number, end: number): SealedParts {
  if (end - start < sealedTextAt(0) + SEALED.tag)
    throw new MeshError("PROTOCOL_ERROR", "a sealed frame that is shorter than its fixed part");
  const length = view.getUint16(start + AT.length);
  const offerAt = start + AT.offer;
  const nonceAt = offerAt + length;
  if (length > LIMITS.sessionOffer || nonceAt + SEALED.nonce + SEALED.tag > end)
    throw new MeshError("PROTOCOL_ERROR", "a sealed frame whose session is longer than it may be");
  return {
    session: { high: view.getUint32(start + AT.session), low: view.getUint32(start + AT.session + 4) },
    heard: view.getUint32(start + AT.heard),
    ttl: view.getUint32(start + AT.ttl),
    offerAt,
    nonceAt,
    textAt: nonceAt + SEALED.nonce,
  };
}

/**
 * What is bound to a sealed text, in place: all before it from the kind on, without what relays change (hops, the time that is left, the flag
 * custody). `bytes` begins with the frame's header.
 */
export function clearUnbound(bytes: Uint8Array): void {
  bytes[OFFSET.flags] = (bytes[OFFSET.flags] as number) & ~FLAG.custody;
  bytes[OFFSET.hops] = 0;
  bytes.fill(0, OFFSET.ttl, OFFSET.ttl + 4);
}

export function encodeOffer({ sender, encapsulated, created, hash, certificate, signature }: SessionOffer): Uint8Array {
  const fields: { [key: string]: Plain } = { s: sender, k: encapsulated, t: created, h: hash, g: signature };
  if (certificate !== undefined) fields["c"] = certificate;
  return encode(fields);
}

/** Throws PROTOCOL_ERROR. */
export function decodeOffer(bytes: Uint8Array): SessionOffer {
  const fields = new Fields(decode(bytes), "the session of a sealed frame");
  const [encapsulated, hash] = [fields.bytes("k", SEALED.encapsulated), fields.bytes("h", SEALED.hash)];
  if (encapsulated.length !== SEALED.encapsulated || hash.length !== SEALED.hash)
    throw new MeshError("PROTOCOL_ERROR", "the session of a sealed frame has a key or hash of the wrong length");
  return {
    sender: fields.nodeId("s"),
    encapsulated,
    created: fields.number("t"),
    hash,
    certificate: fields.has("c") ? fields.bytes("c", LIMITS.certificate) : undefined,
    signature: fields.bytes("g", 512),
  };
}
