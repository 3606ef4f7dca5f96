import type { MessageId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import { LIMITS } from "../../core/limits.ts";
import { Archive, type Rested } from "./archive.ts";

const MOST = 100_000;

/** An ended work of which not all has been taken. The fields are for `Retention` alone. */
export interface Kept {
  readonly id: MessageId;
  /** The parts of its id. */
  readonly lane: string;
  readonly counter: number;
  keptUntil: Instant | undefined;
  keptBytes: number;
  keptBefore: Kept | undefined;
  keptAfter: Kept | undefined;
}

/**
 * Which ended works are still kept for a sender that comes back: for a time, and within a number and a sum of bytes; the oldest go first.
 * Those that their sender has had all of rest in the archive, where each goes after those that came to rest before it.
 */
export class Retention<K extends Kept> {
  readonly archive = new Archive();
  readonly #life: Millis;
  #first: Kept | undefined;
  #last: Kept | undefined;
  #size = 0;
  #bytes = 0;
  readonly #drop: (work: K) => void;

  /** `drop`: what is to be done with one that is kept no longer. */
  constructor(life: Millis, drop: (work: K) => void) {
    this.#life = life;
    this.#drop = drop;
  }

  /** Keeps a work that has ended; what has to go to make room is dropped. */
  keep(now: Instant, work: K, bytes: number): void {
    this.#link(work, now + this.#life, bytes);
    while (this.#isOver()) if (!this.#dropOldest(work)) break;
  }

  /** A kept work holds so many bytes now. */
  resize(work: K, bytes: number): void {
    if (work.keptUntil === undefined) return;
    this.#bytes += bytes - work.keptBytes;
    work.keptBytes = bytes;
  }

  /** All of it was taken. */
  rest(work: K, rested: Rested): void {
    if (work.keptUntil === undefined) return;
    this.archive.add(work, rested, work.keptUntil);
    this.#unlink(work);
  }

  /** Somebody follows it again; it is kept no longer for that. */
  resume(work: K, bytes: number): void {
    const until = this.archive.take(work.id);
    if (until !== undefined) this.#link(work, until, bytes);
  }

  nextWake(): Instant | undefined {
    const [kept, rested] = [this.#first?.keptUntil, this.archive.until];
    return kept === undefined || (rested !== undefined && rested < kept) ? rested : kept;
  }

  wake(now: Instant): void {
    for (let next = this.nextWake(); next !== undefined && next <= now; next = this.nextWake()) this.#dropOldest(undefined);
  }

  #isOver(): boolean {
    return this.#bytes + this.archive.held > LIMITS.retained || this.#size + this.archive.size > MOST;
  }

  /** `false`: there is none but `spared`. */
  #dropOldest(spared: K | undefined): boolean {
    const first = this.#first;
    const rested = this.archive.until;
    if (rested !== undefined && (first?.keptUntil === undefined || rested <= first.keptUntil)) {
      this.archive.drop();
      return true;
    }
    if (first === undefined || first === spared) return false;
    this.#unlink(first);
    // Nothing else was ever linked here.
    this.#drop(first as K);
    return true;
  }

  /** In the order of their times: most are the last. */
  #link(work: K, until: Instant, bytes: number): void {
    let before = this.#last;
    while (before?.keptUntil !== undefined && before.keptUntil > until) before = before.keptBefore;
    const after = before === undefined ? this.#first : before.keptAfter;
    work.keptUntil = until;
    work.keptBytes = bytes;
    work.keptBefore = before;
    work.keptAfter = after;
    if (before === undefined) this.#first = work;
    else before.keptAfter = work;
    if (after === undefined) this.#last = work;
    else after.keptBefore = work;
    this.#size++;
    this.#bytes += bytes;
  }

  #unlink(work: Kept): void {
    const { keptBefore, keptAfter } = work;
    if (keptBefore === undefined) this.#first = keptAfter;
    else keptBefore.keptAfter = keptAfter;
    if (keptAfter === undefined) this.#last = keptBefore;
    else keptAfter.keptBefore = keptBefore;
    work.keptBefore = undefined;
    work.keptAfter = undefined;
    work.keptUntil = undefined;
    this.#size--;
    this.#bytes -= work.keptBytes;
  }
}
