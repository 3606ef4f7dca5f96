import { Deadlines } from "../core/deadlines.ts";
import type { MessageId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import { counterOf, laneOf } from "./message-ids.ts";

const LANES = 65_536;
const SPAN = 1 << 17;
/**
 * For how long after its time to live a copy of a message may still come, in milliseconds. What lies in the buffers of a process that
 * stands still, or of a slow line, does not age; a node that waits with such a copy then gives it the whole time that it had left.
 */
export const SLACK = 600_000;

interface Seen {
  readonly key: string;
  floor: number;
  readonly counters: Set<number>;
}

/**
 * Which messages have arrived here before. What lies below a lane's floor is known to be over; above it each counter is remembered,
 * until the last message of the lane could no longer be sent again. At most 65,536 lanes; the one that is over first makes room.
 */
export class SeenWindow {
  readonly #lanes = new Map<string, Seen>();
  readonly #until = new Deadlines<string>();
  #last: Seen | undefined;

  /** Remembers the id. `false`: it was here before, or is over. `until`: when no copy can arrive any more. */
  add(id: MessageId, floor: number, until: Instant): boolean {
    const lane = this.#laneOf(id);
    const { key } = lane;
    if (until > (this.#until.get(key) ?? -Infinity)) this.#until.set(key, until + SLACK);
    this.#raise(lane, floor);
    const counter = counterOf(id);
    if (counter < lane.floor || counter >= lane.floor + SPAN || lane.counters.has(counter)) return false;
    lane.counters.add(counter);
    return true;
  }

  has(id: MessageId): boolean {
    const lane = this.#find(id);
    if (lane === undefined) return false;
    const counter = counterOf(id);
    return counter < lane.floor || lane.counters.has(counter);
  }

  /** Forgets an id, so that another copy counts as new. */
  forget(id: MessageId): void {
    this.#find(id)?.counters.delete(counterOf(id));
  }

  nextWake(): Instant | undefined {
    return this.#until.next();
  }

  wake(now: Instant): void {
    for (let key = this.#until.take(now); key !== undefined; key = this.#until.take(now)) this.#drop(key);
  }

  /** Messages of one lane come in a row. */
  #find(id: MessageId): Seen | undefined {
    if (this.#last !== undefined && id.startsWith(this.#last.key)) return this.#last;
    const lane = this.#lanes.get(laneOf(id));
    if (lane !== undefined) this.#last = lane;
    return lane;
  }

  #laneOf(id: MessageId): Seen {
    let lane = this.#find(id);
    if (lane === undefined) {
      if (this.#lanes.size >= LANES) this.#dropSoonest();
      const key = laneOf(id);
      lane = { key, floor: 0, counters: new Set() };
      this.#lanes.set(key, lane);
      this.#last = lane;
    }
    return lane;
  }

  #dropSoonest(): void {
    const key = this.#until.take(Infinity);
    if (key !== undefined) this.#drop(key);
  }

  #drop(key: string): void {
    this.#lanes.delete(key);
    if (this.#last?.key === key) this.#last = undefined;
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
