import { concat, utf8 } from "../core/bytes.ts";
import type { NodeId } from "../core/ids.ts";
import type { Millis } from "../core/instant.ts";
import { TIMES } from "../core/limits.ts";

/** For how long an origin seals under one session, in milliseconds. */
export const LIFE: Millis = 900_000;
/** How far the clocks of two nodes may be apart, in milliseconds. */
export const SKEW: Millis = 3_900_000;
/**
 * For how long beyond its time to live a message is remembered, as a copy of it may come so late and be opened: also under a session of
 * which nothing was heard before, as all else of it was lost, and of which only its sender's clock tells how old it is.
 */
export const REMEMBERED = { seen: TIMES.late + LIFE + 2 * SKEW, journal: TIMES.late + LIFE + 2 * SKEW } as const;

/** Whom a session is between, and since when. */
export interface SessionFacts {
  readonly sender: NodeId;
  readonly destination: NodeId;
  /** The destination's, 32 bytes. */
  readonly sealingKey: Uint8Array;
  /** Milliseconds since 1970, by the sender's clock. */
  readonly created: number;
}

/** What both ends must mean by a session; else they have two secrets. */
export function sessionInfo({ sender, destination, sealingKey, created }: SessionFacts): Uint8Array {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setFloat64(0, created);
  return concat([utf8(`receptor-mesh session 1\n${sender}\n${destination}\n`), sealingKey, time]);
}

/** What the sender signs. */
export function sessionClaim(info: Uint8Array, encapsulated: Uint8Array): Uint8Array {
  return concat([info, encapsulated]);
}
