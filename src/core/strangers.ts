import type { Instant, Millis } from "./instant.ts";
import { LIMITS } from "./limits.ts";

/** Time that a connection has, once it has spoken, before one that comes later may take its place. */
const GRACE: Millis = 500;

/** The same for one that is silent. It bounds what a flood costs: to take a connection in costs ten times as much as to close it. */
const SILENT: Millis = 20;

/** A connection that has not shown who it is. */
export interface Stranger {
  readonly address: string;
  readonly since: Instant;
  /** It has said what an honest peer says at once. */
  spoke(): boolean;
  /** Its place goes to another. Called once, when it does not count any more. */
  close(): void;
}

/** The connections out of one block of addresses, the oldest first. */
type Crowd = Set<Stranger>;

/**
 * The connections that have not shown who they are, at most so many in all and from one address. Where there is no room one makes room:
 * the oldest that is silent or had its time, out of the same address where that is full, else out of the fullest. So whoever is slow
 * on purpose keeps out nobody who is quick, and a crowd keeps out nobody but itself. The silent have little time: an honest peer's
 * first bytes come with its connection, and a flood of silent ones would otherwise have all places nearly always.
 */
export class Strangers {
  readonly #limit: number;
  readonly #perAddress: number;
  readonly #crowds = new Map<string, Crowd>();
  #total = 0;

  constructor(limit: number = LIMITS.strangers, perAddress: number = LIMITS.strangersPerAddress) {
    this.#limit = limit;
    this.#perAddress = perAddress;
  }

  get total(): number {
    return this.#total;
  }

  /** Counts one more, which may close another; false: there is no room, and it is not counted. */
  enter(stranger: Stranger): boolean {
    const block = blockOf(stranger.address);
    const full = this.#fullFor(block);
    if (full !== undefined) {
      const one = firstToGo(full, stranger.since);
      if (one === undefined) return false;
      this.leave(one);
      one.close();
    }
    let crowd = this.#crowds.get(block);
    if (crowd === undefined) {
      crowd = new Set();
      this.#crowds.set(block, crowd);
    }
    crowd.add(stranger);
    this.#total++;
    return true;
  }

  mayEnter(now: Instant, address: string): boolean {
    const full = this.#fullFor(blockOf(address));
    return full === undefined || firstToGo(full, now) !== undefined;
  }

  /** One that entered is known now, or gone. */
  leave(stranger: Stranger): void {
    const block = blockOf(stranger.address);
    const crowd = this.#crowds.get(block);
    if (crowd?.delete(stranger) !== true) return;
    this.#total--;
    if (crowd.size === 0) this.#crowds.delete(block);
  }

  /** Out of whom one would have to go for one more from `block`; undefined: nobody. */
  #fullFor(block: string): Iterable<Stranger> | undefined {
    const own = this.#crowds.get(block);
    if (own !== undefined && own.size >= this.#perAddress) return own;
    if (this.#total < this.#limit) return undefined;
    let largest: Crowd | undefined;
    for (const crowd of this.#crowds.values()) if (crowd.size > (largest?.size ?? 0)) largest = crowd;
    // With one from each address nobody has more than a fair part.
    return largest !== undefined && largest.size > 1 ? largest : this.#everyone();
  }

  *#everyone(): Generator<Stranger> {
    for (const crowd of this.#crowds.values()) yield* crowd;
  }
}

/** The oldest that is silent, or had its time. */
function firstToGo(crowd: Iterable<Stranger>, now: Instant): Stranger | undefined {
  let first: Stranger | undefined;
  for (const one of crowd) {
    if (first !== undefined && first.since <= one.since) continue;
    const age = now - one.since;
    if (age >= GRACE || (age >= SILENT && !one.spoke())) first = one;
  }
  return first;
}

/** What counts as one address: an IPv4 address, or the 64 bits of an IPv6 address that its owner did not choose. */
function blockOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = (address.split("%", 1)[0] ?? "").split("::", 2);
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  return groups.slice(0, 4).join(":");
}
