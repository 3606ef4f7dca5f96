import { Deadlines } from "../core/deadlines.ts";
import type { NodeId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";
import { TIMES } from "../core/limits.ts";
import { type NodeHash, NodeHashMap } from "../core/node-hash.ts";
import type { SealKey } from "./ports.ts";
import { LIFE, SKEW } from "./session.ts";

/** Sessions that others begin, remembered at most. */
const MOST = 262_144;
/** Of one sender at once: it goes over to a new one while frames of the last are still on their way. */
const AT_ONCE = 4;

/** So far a deadline may be behind what it should be, which spares setting it for each frame. */
const COARSE: Millis = 60_000;

/** One session that another node has begun. */
export interface InSession {
  readonly sender: NodeId;
  readonly source: Source;
  readonly high: number;
  readonly low: number;
  readonly key: SealKey;
  /** When its first frame came here. */
  readonly first: Instant;
  /** Until when it is remembered. */
  remembered: Instant;
}

/** A node that has begun sessions. */
export interface Source {
  readonly high: number;
  readonly low: number;
  /** The one that a frame came under last comes first. */
  sessions: InSession[];
  live: Instant;
}

/**
 * The sessions that others have begun with this node. What is sealed under one is taken for as long as an honest frame of it may come, and not
 * longer: by then its messages may be forgotten here, and a copy would run again. So when each began is remembered until its sender's
 * clock, as the session itself tells, makes it too old to begin again.
 */
export class Receiving {
  readonly #sources = new NodeHashMap<Source>();
  readonly #live = new Deadlines<Source>();
  readonly #first = new Map<string, Instant>();
  readonly #remembered = new Deadlines<string>();
  readonly #most: number;

  /** `most`: so many sessions are remembered; for tests. */
  constructor(most = MOST) {
    this.#most = most;
  }

  /** Sessions that are remembered. */
  get size(): number {
    return this.#first.size;
  }

  get full(): boolean {
    return this.#first.size >= this.#most;
  }

  find(source: NodeHash, { high, low }: NodeHash): InSession | undefined {
    const sessions = this.#sources.get(source.high, source.low)?.sessions;
    if (sessions === undefined) return undefined;
    for (const session of sessions) if (session.low === low && session.high === high) return session;
    return undefined;
  }

  /** How the name of the session begins that was last heard from there; 0: of none. */
  heardFrom(high: number, low: number): number {
    return this.#sources.get(high, low)?.sessions[0]?.high ?? 0;
  }

  /** A session of which no frame was opened yet. */
  begin(
    now: Instant,
    facts: { readonly sender: NodeId; readonly high: number; readonly low: number; readonly key: SealKey },
    from: NodeHash,
  ): InSession {
    const source = this.#sources.get(from.high, from.low) ?? { ...from, sessions: [], live: -Infinity };
    const first = this.#first.get(nameOf(source, facts)) ?? now;
    return { ...facts, source, first, remembered: -Infinity };
  }

  /** A frame with so much time to live was opened under it. */
  heard(now: Instant, session: InSession, ttl: Millis): void {
    const { source } = session;
    if (source.sessions[0] !== session) {
      source.sessions = [session, ...source.sessions.filter((each) => each !== session)].slice(0, AT_ONCE);
      this.#sources.set(source.high, source.low, source);
    }
    if (source.live < now + LIFE + TIMES.late) {
      source.live = now + LIFE + TIMES.late + COARSE;
      this.#live.set(source, source.live);
    }
    const until = now + ttl + LIFE + TIMES.late + 2 * SKEW;
    if (session.remembered >= until) return;
    session.remembered = until + COARSE;
    const name = nameOf(source, session);
    this.#first.set(name, session.first);
    if (session.remembered > (this.#remembered.get(name) ?? -Infinity)) this.#remembered.set(name, session.remembered);
  }

  /** Sessions begin anew, and are judged anew. */
  clear(): void {
    for (const source of this.#sources.values()) this.#live.delete(source);
    this.#sources.clear();
  }

  /** Lets go what is over. */
  expire(now: Instant): void {
    for (let source = this.#live.take(now); source !== undefined; source = this.#live.take(now))
      this.#sources.delete(source.high, source.low);
    for (let name = this.#remembered.take(now); name !== undefined; name = this.#remembered.take(now)) this.#first.delete(name);
  }
}

function nameOf(source: NodeHash, session: NodeHash): string {
  return `${source.high} ${source.low} ${session.high} ${session.low}`;
}
