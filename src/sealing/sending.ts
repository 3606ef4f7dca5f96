import { EMPTY } from "../core/bytes.ts";
import type { NodeId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { NodeHashMap } from "../core/node-hash.ts";
import { FLAG, FRAME, OFFSET, word } from "../wire/frame.ts";
import { encodeOffer } from "../wire/sealed.ts";
import type { Ciphers, SealKey } from "./ports.ts";
import { LIFE, sessionClaim, sessionInfo } from "./session.ts";

/** What is known of another node. */
export interface Party {
  readonly node: NodeId;
  /** Out of its signed advertisement. */
  readonly sealingKey: Uint8Array;
  /** DER. */
  readonly certificate: Uint8Array;
}

/** One session from here to another node. */
export interface OutSession {
  readonly key: SealKey;
  /** Its encapsulated key, whose first 8 bytes name it. */
  readonly encapsulated: Uint8Array;
  readonly name: number;
  readonly certificate: Uint8Array;
  readonly until: Instant;
  /** What begins it, with and without the certificate. */
  readonly whole: Uint8Array;
  readonly short: Uint8Array;
  /** The other end has said that it knows it. */
  heard: boolean;
}

export interface SendingOptions {
  readonly self: NodeId;
  /** Lives for one command: who gets a message from it may not find its certificate any more. */
  readonly ephemeral: boolean;
  readonly ciphers: Ciphers;
  readonly wallClock: () => number;
  readonly partyOf: (high: number, low: number) => Party | undefined;
}

/** The sessions that this node has begun: one for each node that it says something to. */
export class Sending {
  readonly #options: SendingOptions;
  readonly #sessions = new NodeHashMap<OutSession>();
  /** No two sessions of this node have one time, and a later one has a later time. */
  #created = 0;
  #size = 0;

  constructor(options: SendingOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  /** The session to that node. Undefined: it is not known what to seal with. */
  find(now: Instant, high: number, low: number): OutSession | undefined {
    const session = this.#sessions.get(high, low);
    if (session !== undefined && now < session.until && session.certificate === this.#options.ciphers.certificate) return session;
    return this.#begin(now, high, low);
  }

  /** What a frame has to say of its session: all of it, where the other end may not know it when the frame arrives. */
  offerFor(session: OutSession, frame: Uint8Array, start: number): Uint8Array {
    if (!session.heard) return session.whole;
    const kind = frame[start + OFFSET.kind];
    if (kind !== FRAME.message) return EMPTY;
    const durable = ((frame[start + OFFSET.flags] as number) & FLAG.durable) !== 0;
    return durable || this.#options.ephemeral ? session.whole : session.short;
  }

  /** That node says which session it has last heard of. */
  heard(high: number, low: number, name: number): void {
    const session = this.#sessions.get(high, low);
    if (session !== undefined) session.heard = session.name === name;
  }

  /** That node may not know the session any more, or is gone. */
  forget(high: number, low: number): void {
    if (this.#sessions.delete(high, low)) this.#size--;
  }

  #begin(now: Instant, high: number, low: number): OutSession | undefined {
    const { ciphers, self, wallClock, partyOf } = this.#options;
    const party = partyOf(high, low);
    if (party === undefined) return undefined;
    this.#created = Math.max(this.#created + 1, Math.floor(wallClock()));
    const facts = { sender: self, destination: party.node, sealingKey: party.sealingKey, created: this.#created };
    const info = sessionInfo(facts);
    const begun = ciphers.encapsulate(party.sealingKey, info);
    if (begun === undefined) return undefined;
    const { encapsulated, secret } = begun;
    const { certificate } = ciphers;
    const offer = {
      sender: self,
      encapsulated,
      created: this.#created,
      hash: ciphers.hash(certificate),
      signature: ciphers.sign(sessionClaim(info, encapsulated)),
    };
    const session: OutSession = {
      key: ciphers.key(secret),
      encapsulated,
      name: word(encapsulated, 0),
      certificate,
      until: now + LIFE,
      whole: encodeOffer({ ...offer, certificate }),
      short: encodeOffer({ ...offer, certificate: undefined }),
      heard: false,
    };
    this.#keep(high, low, session);
    return session;
  }

  #keep(high: number, low: number, session: OutSession): void {
    if (this.#sessions.get(high, low) === undefined) {
      // They are made again where they are needed.
      if (this.#size >= LIMITS.nodes) {
        this.#sessions.clear();
        this.#size = 0;
      }
      this.#size++;
    }
    this.#sessions.set(high, low, session);
  }
}
