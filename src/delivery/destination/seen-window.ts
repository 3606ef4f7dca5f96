import { Deadlines } from "../../core/deadlines.ts";
import type { MessageId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import { TIMES } from "../../core/limits.ts";
import { isSameHash, type NodeHash } from "../../core/node-hash.ts";
import { CounterSet } from "./counter-set.ts";
import { counterOf, laneOf } from "../message-ids.ts";

const LANES = 65_536;
const SPAN = 1 << 17;
/** So far the end of a lane may be behind what it should be, which spares setting it for each message. */
const COARSE: Millis = 60_000;

/** All that came under one lane; more than one where two nodes send under it. */
interface Lane {
  readonly key: string;
  readonly seen: Seen[];
}

/** One lane of one sender. */
interface Seen {
  readonly lane: Lane;
  /** Who sends under it; undefined where that is not known. */
  readonly owner: NodeHash | undefined;
  /** Until when it is remembered. */
  until: Instant;
  floor: number;
  readonly counters: CounterSet;
}

/**
 * Which messages have arrived here before. What lies below a lane's floor is known to be over; above it each counter is remembered,
 * until the last message of the lane could no longer be sent again. At most 65,536 lanes; the one that is over first makes room.
 * Ids are no secret: where two nodes send under one lane each has its own, so that nobody can use up the ids of another.
 */
export class SeenWindow {
  readonly #lanes = new Map<string, Lane>();
  readonly #until = new Deadlines<Seen>();
  readonly #late: Millis;
  #last: Lane | undefined;

  /** `late`: for how long after its time to live a copy may still come. */
  constructor(late: Millis = TIMES.late) {
    this.#late = late;
  }

  /** Remembers the id of a message of `sender`. `false`: it was here before, or is over. `until`: when its time to live ends. */
  add(id: MessageId, floor: number, until: Instant, sender?: NodeHash): boolean {
    const seen = this.#seenOf(id, sender);
    const end = until + this.#late;
    if (end > seen.until) {
      seen.until = end + COARSE;
      this.#until.set(seen, seen.until);
    }
    this.#raise(seen, floor);
    const counter = counterOf(id);
    if (counter < seen.floor || counter >= seen.floor + SPAN || seen.counters.has(counter)) return false;
    seen.counters.add(counter);
    return true;
  }

  /** Whether a message with this id was here, or is over: of `sender`, or of whomever it was where it is not known; without one, of anybody. */
  has(id: MessageId, sender?: NodeHash): boolean {
    const lane = this.#laneOf(id);
    if (lane === undefined) return false;
    const counter = counterOf(id);
    for (const seen of lane.seen)
      if ((sender === undefined || seen.owner === undefined || isSame(seen.owner, sender)) && covers(seen, counter)) return true;
    return false;
  }

  nextWake(): Instant | undefined {
    return this.#until.next();
  }

  wake(now: Instant): void {
    for (let seen = this.#until.take(now); seen !== undefined; seen = this.#until.take(now)) this.#drop(seen);
  }

  /** Messages of one lane come in a row. */
  #laneOf(id: MessageId): Lane | undefined {
    const last = this.#last;
    const key = laneOf(id);
    if (last?.key === key) return last;
    const lane = this.#lanes.get(key);
    if (lane !== undefined) this.#last = lane;
    return lane;
  }

  #seenOf(id: MessageId, owner: NodeHash | undefined): Seen {
    const known = this.#laneOf(id);
    if (known !== undefined) for (const seen of known.seen) if (isSame(seen.owner, owner)) return seen;
    if (this.#until.size >= LANES) this.#dropSoonest();
    let lane = this.#laneOf(id);
    if (lane === undefined) {
      lane = { key: laneOf(id), seen: [] };
      this.#lanes.set(lane.key, lane);
    }
    const seen: Seen = { lane, owner, until: -Infinity, floor: 0, counters: new CounterSet() };
    lane.seen.push(seen);
    return seen;
  }

  #dropSoonest(): void {
    const seen = this.#until.take(Infinity);
    if (seen !== undefined) this.#drop(seen);
  }

  #drop(seen: Seen): void {
    const { lane } = seen;
    lane.seen.splice(lane.seen.indexOf(seen), 1);
    if (lane.seen.length > 0) return;
    this.#lanes.delete(lane.key);
    if (this.#last === lane) this.#last = undefined;
  }

  #raise(seen: Seen, floor: number): void {
    if (floor <= seen.floor) return;
    seen.counters.forget(seen.floor, floor);
    seen.floor = floor;
  }
}

function covers(seen: Seen, counter: number): boolean {
  return counter < seen.floor || seen.counters.has(counter);
}

function isSame(a: NodeHash | undefined, b: NodeHash | undefined): boolean {
  return a === undefined || b === undefined ? a === b : isSameHash(a, b);
}
