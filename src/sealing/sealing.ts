import type { Instant } from "../core/instant.ts";
import { TIMES } from "../core/limits.ts";
import { hashNodeId, isSameHash, type NodeHash } from "../core/node-hash.ts";
import type { TokenBucket } from "../core/token-bucket.ts";
import { FLAG, OFFSET, ROUTED_HEADER, word } from "../wire/frame.ts";
import {
  clearUnbound,
  decodeOffer,
  readSealedParts,
  type SealedParts,
  sealedTextAt,
  type SessionOffer,
  writeSealedPrefix,
} from "../wire/sealed.ts";
import { type Doubt, SEAL } from "./ports.ts";
import { type InSession, Receiving } from "./receiving.ts";
import { Sending, type SendingOptions } from "./sending.ts";
import { LIFE, sessionClaim, sessionInfo, SKEW } from "./session.ts";

/**
 * required: what leaves is sealed or stays, and what comes unsealed is refused. preferred: what can be sealed is, and both are taken. off: nothing
 * is sealed; what comes sealed is opened.
 */
export type SealingMode = "required" | "preferred" | "off";

/**
 * Why a frame was not opened. plain: it is not sealed. session: it does not say enough of its session, which is not known. sender: its session
 * is of another node than its header says. clock: its sender's clock or this one is wrong by more than an hour, or it is a copy from long ago. late: its
 * session is over. rate: too many sessions came by that link. full: too many are remembered. key: its session cannot be for this node. text: it is
 * not what its sender has sealed. The others are doubts about who has signed its session.
 */
export type Unopened = "plain" | "session" | "sender" | "clock" | "late" | "rate" | "full" | "key" | "text" | Doubt;

export interface SealingOptions extends SendingOptions {
  readonly mode: SealingMode;
  /** This node's X25519 key as it shows it. */
  readonly sealingKey: Uint8Array;
  /** How many sessions of others are remembered; default 262,144. */
  readonly remembered?: number;
}

/** What came of frames that could not be opened. */
export interface SealingEvents {
  /** It was not taken. Its source is what its header says. */
  onUnopened(why: Unopened, sourceHigh: number, sourceLow: number): void;
  /** To be sent to that node: a frame of it could not be opened, as its session is not known here. */
  onUnknownSession(sourceHigh: number, sourceLow: number): void;
}

/** What one link may make this node spend on sessions that it does not know. */
export interface SessionRates {
  readonly begin: TokenBucket;
  readonly answer: TokenBucket;
}

/** A frame, valid until the next call of the method that gave it. */
export interface FrameView {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
}

/**
 * Seals what this node says to others, each frame under a session of the two, and opens what others say to it. All that lies between sees is the
 * routed header. SPEC.md has the rules.
 */
export class Sealing {
  readonly sending: Sending;
  readonly receiving: Receiving;
  readonly #options: SealingOptions;
  readonly #events: SealingEvents;
  readonly #out = new Scratch();
  readonly #in = new Scratch();
  readonly #bound = new Scratch();

  constructor(options: SealingOptions, events: SealingEvents) {
    this.#options = options;
    this.#events = events;
    this.sending = new Sending(options);
    this.receiving = new Receiving(options.remembered);
  }

  get mode(): SealingMode {
    return this.#options.mode;
  }

  /** A frame of this node for another, as it may leave. Undefined: it may not, since nothing is known to seal it with. */
  seal(now: Instant, frame: Uint8Array, start: number, end: number): FrameView | undefined {
    const { mode } = this.#options;
    const high = word(frame, start + OFFSET.destination);
    const low = word(frame, start + OFFSET.destination + 4);
    const session = mode === "off" ? undefined : this.sending.find(now, high, low);
    if (session === undefined) return mode === "required" ? undefined : this.#out.copy(frame, start, end);
    const offer = this.sending.offerFor(session, frame, start);
    const textAt = sealedTextAt(offer.length);
    const nonceAt = textAt - SEAL.nonce;
    const plain = frame.subarray(start + ROUTED_HEADER, end);
    const length = textAt + plain.length + SEAL.tag;
    const { bytes, view } = this.#out.reach(length);
    bytes.set(frame.subarray(start, start + ROUTED_HEADER));
    view.setUint32(OFFSET.length, length);
    bytes[OFFSET.flags] = (bytes[OFFSET.flags] as number) | FLAG.sealed;
    const ttl = view.getUint32(OFFSET.ttl);
    const [flags, hops] = [bytes[OFFSET.flags] as number, bytes[OFFSET.hops] as number];
    writeSealedPrefix(bytes, view, { session: session.encapsulated, heard: this.receiving.heardFrom(high, low), ttl, offer });
    clearUnbound(bytes);
    const nonce = this.#options.ciphers.nonce();
    session.key.seal(nonce, bytes.subarray(OFFSET.kind, nonceAt), plain, bytes, textAt);
    bytes.set(nonce, nonceAt);
    bytes[OFFSET.flags] = flags;
    bytes[OFFSET.hops] = hops;
    view.setUint32(OFFSET.ttl, ttl);
    return { bytes, view, start: 0, end: length };
  }

  /**
   * A frame for this node, as its sender wrote it. Undefined: it is not taken, and counted. Throws PROTOCOL_ERROR where it cannot be read.
   * `rates`: of the link that it came by.
   */
  open(now: Instant, rates: SessionRates, frame: FrameView): FrameView | undefined {
    const opened = this.#open(now, rates, frame);
    if (typeof opened !== "string") return opened;
    const from = sourceOf(frame);
    this.#events.onUnopened(opened, from.high, from.low);
    // Only where the other end can do something about it: it tells all of its session again.
    if ((opened === "session" || opened === "certificate") && rates.answer.take(now)) this.#events.onUnknownSession(from.high, from.low);
    return undefined;
  }

  #open(now: Instant, rates: SessionRates, frame: FrameView): FrameView | Unopened {
    const { bytes, view, start, end } = frame;
    if ((view.getUint8(start + OFFSET.flags) & FLAG.sealed) === 0) return this.#options.mode === "required" ? "plain" : frame;
    this.receiving.expire(now);
    const parts = readSealedParts(view, start, end);
    const source = sourceOf(frame);
    const session = this.receiving.find(source, parts.session) ?? this.#begin(now, rates, frame, parts);
    if (typeof session === "string") return session;
    // By now its message may be forgotten here, and would run again.
    if (now > session.first + LIFE + parts.ttl + TIMES.late) return "late";
    const bound = this.#bound.copy(bytes, start, parts.nonceAt);
    clearUnbound(bound.bytes);
    const sealed = bytes.subarray(parts.textAt, end);
    const length = ROUTED_HEADER + sealed.length - SEAL.tag;
    const plain = this.#in.reach(length);
    const nonce = bytes.subarray(parts.nonceAt, parts.textAt);
    if (!session.key.open(nonce, bound.bytes.subarray(OFFSET.kind, bound.end), sealed, plain.bytes, ROUTED_HEADER)) return "text";
    plain.bytes.set(bytes.subarray(start, start + ROUTED_HEADER));
    plain.bytes[OFFSET.flags] = (plain.bytes[OFFSET.flags] as number) & ~(FLAG.sealed | FLAG.custody);
    plain.view.setUint32(OFFSET.length, length);
    plain.view.setUint32(OFFSET.ttl, parts.ttl);
    this.receiving.heard(now, session, parts.ttl);
    this.sending.heard(source.high, source.low, parts.heard);
    // Spread, it would be an object of a shape of its own.
    return { bytes: plain.bytes, view: plain.view, start: 0, end: length };
  }

  /** Takes up a session that is not known here, if who is said to have begun it did. */
  #begin(now: Instant, rates: SessionRates, frame: FrameView, { offerAt, nonceAt, session, ttl }: SealedParts): InSession | Unopened {
    if (offerAt === nonceAt) return "session";
    if (!rates.begin.take(now)) return "rate";
    if (this.receiving.full) return "full";
    const offer = decodeOffer(frame.bytes.slice(offerAt, nonceAt));
    const source = sourceOf(frame);
    const { ciphers, self, sealingKey, wallClock } = this.#options;
    if (!isSameHash(hashNodeId(offer.sender), source)) return "sender";
    if (word(offer.encapsulated, 0) !== session.high || word(offer.encapsulated, 4) !== session.low) return "text";
    const age = wallClock() - offer.created;
    if (age < -SKEW || age > LIFE + ttl + TIMES.late + SKEW) return "clock";
    const certificate = this.#certificateOf(offer, source);
    if (certificate === undefined) return "certificate";
    const info = sessionInfo({ sender: offer.sender, destination: self, sealingKey, created: offer.created });
    const signed = sessionClaim(info, offer.encapsulated);
    const doubt = ciphers.judge({ node: offer.sender, certificate, signed, signature: offer.signature });
    if (doubt !== undefined) return doubt;
    const secret = ciphers.decapsulate(offer.encapsulated, info);
    if (secret === undefined) return "key";
    return this.receiving.begin(now, { sender: offer.sender, ...session, key: ciphers.key(secret) }, source);
  }

  /** The certificate that the offer is signed with: its own, or the one that its sender advertises. */
  #certificateOf({ certificate, hash }: SessionOffer, { high, low }: NodeHash): Uint8Array | undefined {
    const { ciphers, partyOf } = this.#options;
    const shown = certificate ?? partyOf(high, low)?.certificate;
    return shown !== undefined && isEqual(ciphers.hash(shown), hash) ? shown : undefined;
  }
}

/** Bytes that are used again, as many as are needed. */
class Scratch {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);

  reach(length: number): { readonly bytes: Uint8Array; readonly view: DataView } {
    if (length > this.#bytes.length) {
      this.#bytes = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      this.#view = new DataView(this.#bytes.buffer);
    }
    return { bytes: this.#bytes, view: this.#view };
  }

  copy(bytes: Uint8Array, start: number, end: number): FrameView {
    const { bytes: into, view } = this.reach(end - start);
    into.set(bytes.subarray(start, end));
    return { bytes: into, view, start: 0, end: end - start };
  }
}

function sourceOf({ view, start }: FrameView): NodeHash {
  return { high: view.getUint32(start + OFFSET.source), low: view.getUint32(start + OFFSET.source + 4) };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
