import { Deadlines } from "../core/deadlines.ts";
import type { MessageId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";
import { TIMES } from "../core/limits.ts";
import { isSameHash, type NodeHash } from "../core/node-hash.ts";
import { counterOf, laneOf } from "./message-ids.ts";

const LANES = 65_536;
const SPAN = 1 << 17;
/** So far the end of a lane may be behind what it should be, which spares setting it for each message. */
const COARSE: Millis = 60_000;

/** One lane of one sender. */
interface Seen {
  readonly key: string;
  /** Who sends under it; undefined where that is not known. */
  readonly owner: NodeHash | undefined;
  floor: number;
  readonly counters: Set<number>;
}

/**
 * Which messages have arrived here before. What lies below a lane's floor is known to be over; above it each counter is remembered,
 * until the last message of the lane could no longer be sent again. At most 65,536 lanes; the one that is over first makes room.
 * Ids are no secret: where two nodes send under one lane each has its own, so that nobody can use up the ids of another.
 */
export class SeenWindow {
  readonly #lanes = new Map<string, Seen[]>();
  readonly #until = new Deadlines<Seen>();
  readonly #late: Millis;
  #last: Seen | undefined;

  /** `late`: for how long after its time to live a copy may still come. */
  constructor(late: Millis = TIMES.late) {
    this.#late = late;
  }

  /** Remembers the id of a message of `sender`. `false`: it was here before, or is over. `until`: when its time to live ends. */
  add(id: MessageId, floor: number, until: Instant, sender?: NodeHash): boolean {
    const lane = this.#laneOf(id, sender);
    const end = until + this.#late;
    if (end > (this.#until.get(lane) ?? -Infinity)) this.#until.set(lane, end + COARSE);
    this.#raise(lane, floor);
    const counter = counterOf(id);
    if (counter < lane.floor || counter >= lane.floor + SPAN || lane.counters.has(counter)) return false;
    lane.counters.add(counter);
    return true;
  }

  /** Whether a message with this id was here, or is over: of `sender`, or of whomever it was where it is not known; without one, of anybody. */
  has(id: MessageId, sender?: NodeHash): boolean {
    const counter = counterOf(id);
    const lanes = this.#lanes.get(laneOf(id));
    if (lanes === undefined) return false;
    for (const lane of lanes)
      if ((sender === undefined || lane.owner === undefined || isSame(lane.owner, sender)) && covers(lane, counter)) return true;
    return false;
  }

  nextWake(): Instant | undefined {
    return this.#until.next();
  }

  wake(now: Instant): void {
    for (let lane = this.#until.take(now); lane !== undefined; lane = this.#until.take(now)) this.#drop(lane);
  }

  /** Messages of one lane come in a row. */
  #laneOf(id: MessageId, owner: NodeHash | undefined): Seen {
    const last = this.#last;
    if (last !== undefined && id.startsWith(last.key) && isSame(last.owner, owner)) return last;
    const key = laneOf(id);
    let lane = this.#lanes.get(key)?.find((each) => isSame(each.owner, owner));
    if (lane === undefined) {
      if (this.#until.size >= LANES) this.#dropSoonest();
      lane = { key, owner, floor: 0, counters: new Set() };
      const lanes = this.#lanes.get(key);
      if (lanes === undefined) this.#lanes.set(key, [lane]);
      else lanes.push(lane);
    }
    this.#last = lane;
    return lane;
  }

  #dropSoonest(): void {
    const lane = this.#until.take(Infinity);
    if (lane !== undefined) this.#drop(lane);
  }

  #drop(lane: Seen): void {
    const lanes = this.#lanes.get(lane.key);
    if (lanes === undefined || lanes.length <= 1) this.#lanes.delete(lane.key);
    else lanes.splice(lanes.indexOf(lane), 1);
    if (this.#last === lane) this.#last = undefined;
  }

  #raise(lane: Seen, floor: number): void {
    if (floor <= lane.floor) return;
    if (floor - lane.floor > lane.counters.size) {
      for (const counter of lane.counters) if (counter < floor) lane.counters.delete(counter);
    } else {
      for (let counter = lane.floor; counter < floor; counter++) lane.counters.delete(counter);
    }
    lane.floor = floor;
  }
}

function covers(lane: Seen, counter: number): boolean {
  return counter < lane.floor || lane.counters.has(counter);
}

function isSame(a: NodeHash | undefined, b: NodeHash | undefined): boolean {
  return a === undefined || b === undefined ? a === b : isSameHash(a, b);
}
