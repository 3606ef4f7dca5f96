import { MeshError } from "../core/errors.ts";
import type { MessageId } from "../core/ids.ts";
import type { Instant, Millis } from "../core/instant.ts";
import { type NodeHash, NodeHashMap } from "../core/node-hash.ts";
import { Heap } from "../core/heap.ts";
import { FLAG, OFFSET } from "../wire/frame.ts";
import { readMessageId } from "../wire/message-id.ts";
import type { DeliveryPort, ParkEvents } from "./ports.ts";
import { type Disk, restoreRecords, viewOf, whyNoMessage } from "./stored-records.ts";

export interface ParkLimits {
  readonly messages: number;
  readonly bytes: number;
  /** The share of both that one destination may take; default 1. */
  readonly perDestination?: number;
}

/** One message that waits. */
export interface Parked {
  readonly id: MessageId;
  readonly key: string;
  readonly source: NodeHash;
  readonly destination: NodeHash;
  readonly size: number;
  /** It is not the first copy that its origin has sent. */
  readonly resent: boolean;
  expiresAt: Instant;
  /** Its origin has left it to this node. */
  custody: boolean;
  /** It is on the disk. */
  stored: boolean;
  gone: boolean;
  /** Who brought other copies while it was being written. */
  copies: Added[];
}

/** It is on the disk, or could not be brought there. */
type Added = (error: MeshError | undefined, parked: Parked | undefined) => void;

interface Queue {
  readonly destination: NodeHash;
  entries: Parked[];
  head: number;
  live: number;
  bytes: number;
  draining: boolean;
}

/** Frames taken out of the store together. */
const PAGE = 64;
/** After trouble with the store. */
const RETRY: Millis = 1_000;
const PREFIX = "park/";
/** Before the frame: the age of the store at parking, as a float. */
const ENVELOPE = 8;

/** Called with each message that leaves, as a whole frame, its remaining time to live written into it; `undefined`: the disk has lost it. */
export type Release = (parked: Parked, frame: Uint8Array | undefined) => void;

/**
 * Messages that have no way onward, on disk by destination, oldest first. A message is taken out of the store before it
 * is sent on: what a restart finds here was never sent.
 */
export class ParkQueue {
  readonly #disk: Disk;
  readonly #port: DeliveryPort;
  readonly #events: ParkEvents;
  readonly #limits: ParkLimits;
  readonly #queues = new NodeHashMap<Queue>();
  readonly #byId = new Map<MessageId, Parked>();
  readonly #expiry = new Heap<Parked>((a, b) => a.expiresAt < b.expiresAt);
  #sequence = 0;
  #bytes = 0;
  #ready = false;
  #retryAt: Instant | undefined;

  constructor(disk: Disk, events: ParkEvents, limits: ParkLimits) {
    this.#disk = disk;
    this.#port = disk.port;
    this.#events = events;
    this.#limits = limits;
  }

  get messages(): number {
    return this.#byId.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(destination: NodeHash): boolean {
    return (this.#queues.get(destination.high, destination.low)?.live ?? 0) > 0;
  }

  find(id: MessageId): Parked | undefined {
    return this.#byId.get(id);
  }

  *list(): Generator<Parked> {
    for (const queue of this.#queues.values()) {
      for (let i = queue.head; i < queue.entries.length; i++) {
        const entry = queue.entries[i];
        if (entry !== undefined && !entry.gone) yield entry;
      }
    }
  }

  *destinations(): Generator<{ readonly destination: NodeHash; readonly messages: number; readonly bytes: number }> {
    for (const queue of this.#queues.values())
      if (queue.live > 0) yield { destination: queue.destination, messages: queue.live, bytes: queue.bytes };
  }

  /** Something was stored that has a route by now: `drainAll` is to be called. */
  get ready(): boolean {
    return this.#ready;
  }

  /**
   * Reads back what waited when the node stopped; the time it was off counts. What cannot be read is reported. `done` runs when all is
   * indexed.
   */
  restore(now: Instant, done: (error: MeshError | undefined) => void): void {
    restoreRecords(this.#disk, "parked", PREFIX, (name, value) => this.#index(now, name, value), done);
  }

  /**
   * Stores the frame; `done` runs when it is on disk. Refuses with STORE_FULL. A frame that waits here already counts as stored; for
   * a copy of one that is just being stored `done` runs only where that fails.
   */
  add(now: Instant, frame: Uint8Array, done: Added): void {
    const view = viewOf(frame);
    const known = this.#byId.get(readMessageId(frame, OFFSET.id));
    if (known?.stored === true) return done(undefined, known);
    if (known !== undefined) return void known.copies.push(done);
    const destination = destinationOf(view);
    const full = this.#full(destination, frame.length);
    if (full !== undefined) return done(full, undefined);
    const key = PREFIX + nameOf(destination, this.#sequence++);
    const value = new Uint8Array(ENVELOPE + frame.length);
    this.#disk.clock.use(now);
    new DataView(value.buffer).setFloat64(0, this.#disk.clock.age(now));
    value.set(frame, ENVELOPE);
    const parked = this.#insert(now, key, frame, view, view.getUint32(OFFSET.ttl));
    this.#port.records.write([{ type: "put", key, value }], (error) => {
      if (error !== undefined) {
        this.#drop(parked);
        for (const each of [done, ...parked.copies]) each(error, undefined);
        return;
      }
      parked.stored = true;
      parked.copies.length = 0;
      if (parked.gone) return;
      this.#events.onParked(parked.id, destination);
      done(undefined, parked);
      // The route may have come while it was being stored.
      if (!this.#port.hasRoute(destination.high, destination.low)) return;
      this.#ready = true;
      this.#port.markDirty();
    });
  }

  /** Takes messages out for a reason of its own: cancelled, purged. Returns how many bytes that freed. */
  remove(parked: Parked): void {
    if (parked.gone) return;
    this.#drop(parked);
    this.#disk.deletions.delete([parked.key], (error) => {
      if (error !== undefined) this.#events.onTrouble(error);
    });
  }

  /** Sends on what waits for a destination that has a route, page by page, as long as the link has room. */
  drain(destination: NodeHash, release: Release, clock: () => Instant): void {
    const queue = this.#queues.get(destination.high, destination.low);
    if (queue === undefined || queue.live === 0 || queue.draining) return;
    if (!this.#port.hasRoute(destination.high, destination.low) || this.#port.congested(destination.high, destination.low)) return;
    const page = this.#page(queue);
    const last = page.at(-1);
    const first = page[0];
    if (first === undefined || last === undefined) return;
    queue.draining = true;
    const failed = (error: MeshError): void => {
      queue.draining = false;
      this.#retryAt = clock() + RETRY;
      this.#port.markDirty();
      this.#events.onTrouble(error);
    };
    // What was taken out of the middle a moment ago may still be on the disk, and what could not be read at the start is.
    this.#port.records.scan({ from: first.key, to: `${last.key}!`, limit: Infinity }, (error, entries) => {
      if (error !== undefined) return failed(error);
      const frames = new Map(entries.map((entry) => [entry.key, entry.value]));
      this.#port.records.write(
        page.map(({ key }) => ({ type: "delete", key })),
        (kept) => {
          if (kept !== undefined) return failed(kept);
          queue.draining = false;
          for (const parked of page) this.#release(clock(), parked, frames.get(parked.key), release);
          this.drain(destination, release, clock);
        },
      );
    });
  }

  /** Tries every destination that has something waiting. */
  drainAll(release: Release, clock: () => Instant): void {
    this.#ready = false;
    for (const queue of this.#queues.values()) if (queue.live > 0) this.drain(queue.destination, release, clock);
  }

  nextWake(): Instant | undefined {
    const expiry = this.#nextExpiry();
    return expiry === undefined ? this.#retryAt : Math.min(expiry, this.#retryAt ?? Infinity);
  }

  /** Tries again what the store would not give, and drops what has run out of time: to be called at `nextWake`. */
  wake(now: Instant, each: (parked: Parked) => void): void {
    this.expire(now, each);
    if (this.#retryAt === undefined || now < this.#retryAt) return;
    this.#retryAt = undefined;
    this.#ready = true;
    this.#port.markDirty();
  }

  #nextExpiry(): Instant | undefined {
    for (let top = this.#expiry.peek(); top !== undefined; top = this.#expiry.peek()) {
      if (!top.gone) return top.expiresAt;
      this.#expiry.pop();
    }
    return undefined;
  }

  /** Takes out what has run out of time, and reports it. */
  expire(now: Instant, each: (parked: Parked) => void): void {
    const dead: Parked[] = [];
    for (let at = this.#nextExpiry(); at !== undefined && at <= now; at = this.#nextExpiry()) {
      const parked = this.#expiry.pop();
      if (parked === undefined) break;
      this.#drop(parked);
      dead.push(parked);
    }
    if (dead.length === 0) return;
    this.#disk.deletions.delete(
      dead.map(({ key }) => key),
      (error) => {
        if (error !== undefined) this.#events.onTrouble(error);
      },
    );
    for (const parked of dead) {
      this.#events.onExpired(parked.id, parked.destination);
      each(parked);
    }
  }

  #release(now: Instant, parked: Parked, value: Uint8Array | undefined, release: Release): void {
    if (parked.gone) return;
    this.#drop(parked);
    if (value === undefined || whyNoMessage(value, ENVELOPE) !== undefined || readMessageId(value, ENVELOPE + OFFSET.id) !== parked.id) {
      this.#disk.events.onLost("parked", 1, "unreadable when there was a way onward");
      return release(parked, undefined);
    }
    const frame = value.slice(ENVELOPE);
    const view = new DataView(frame.buffer);
    view.setUint32(OFFSET.ttl, Math.max(1, Math.floor(parked.expiresAt - now)));
    if (parked.custody) view.setUint8(OFFSET.flags, view.getUint8(OFFSET.flags) | FLAG.custody);
    release(parked, frame);
  }

  #page(queue: Queue): Parked[] {
    const page: Parked[] = [];
    while (queue.head < queue.entries.length && queue.entries[queue.head]?.gone === true) queue.head++;
    if (queue.head > 4096 && queue.head * 2 > queue.entries.length) {
      queue.entries = queue.entries.slice(queue.head);
      queue.head = 0;
    }
    for (let i = queue.head; i < queue.entries.length && page.length < PAGE; i++) {
      const entry = queue.entries[i];
      if (entry === undefined || entry.gone) continue;
      if (!entry.stored) break;
      page.push(entry);
    }
    return page;
  }

  #full(destination: NodeHash, size: number): MeshError | undefined {
    const { messages, bytes, perDestination = 1 } = this.#limits;
    const queue = this.#queues.get(destination.high, destination.low);
    const over =
      this.messages >= messages ||
      this.#bytes + size > bytes ||
      (queue !== undefined && (queue.live >= messages * perDestination || queue.bytes + size > bytes * perDestination));
    if (!over) return undefined;
    return new MeshError("STORE_FULL", `${this.messages} messages of ${this.#bytes} bytes wait here, and no more may`, {
      data: { messages: this.messages, bytes: this.#bytes },
    });
  }

  #index(now: Instant, name: string, value: Uint8Array): string | undefined {
    const sequence = sequenceOf(name);
    if (sequence === undefined) return "without a place in a queue";
    // Also behind what cannot be read: that is not written over.
    if (sequence >= this.#sequence) this.#sequence = sequence + 1;
    const why = whyNoMessage(value, ENVELOPE);
    if (why !== undefined) return why;
    const frame = value.subarray(ENVELOPE);
    const view = viewOf(frame);
    if (nameOf(destinationOf(view), sequence) !== name) return "for another node than its key says";
    if (this.#byId.has(readMessageId(frame, OFFSET.id))) {
      // The store would not delete it before the message came to wait here again.
      this.#disk.deletions.delete([PREFIX + name]);
      return undefined;
    }
    const ttl = view.getUint32(OFFSET.ttl) - this.#disk.clock.since(viewOf(value).getFloat64(0), now);
    if (!Number.isFinite(ttl)) return "without the time of its parking";
    this.#insert(now, PREFIX + name, frame, view, ttl).stored = true;
    return undefined;
  }

  #insert(now: Instant, key: string, frame: Uint8Array, view: DataView, ttl: Millis): Parked {
    const destination = destinationOf(view);
    const parked: Parked = {
      id: readMessageId(frame, OFFSET.id),
      key,
      source: { high: view.getUint32(OFFSET.source), low: view.getUint32(OFFSET.source + 4) },
      destination,
      size: frame.length,
      resent: (view.getUint8(OFFSET.flags) & FLAG.resent) !== 0,
      expiresAt: now + ttl,
      custody: false,
      stored: false,
      gone: false,
      copies: [],
    };
    let queue = this.#queues.get(destination.high, destination.low);
    if (queue === undefined) {
      queue = { destination, entries: [], head: 0, live: 0, bytes: 0, draining: false };
      this.#queues.set(destination.high, destination.low, queue);
    }
    queue.entries.push(parked);
    queue.live++;
    queue.bytes += parked.size;
    this.#bytes += parked.size;
    this.#byId.set(parked.id, parked);
    this.#expiry.push(parked);
    return parked;
  }

  #drop(parked: Parked): void {
    if (parked.gone) return;
    parked.gone = true;
    this.#byId.delete(parked.id);
    this.#bytes -= parked.size;
    const { high, low } = parked.destination;
    const queue = this.#queues.get(high, low);
    if (queue === undefined) return;
    queue.live--;
    queue.bytes -= parked.size;
    if (queue.live === 0 && !queue.draining) this.#queues.delete(high, low);
  }
}

function destinationOf(view: DataView): NodeHash {
  return { high: view.getUint32(OFFSET.destination), low: view.getUint32(OFFSET.destination + 4) };
}

/** Sorts by destination, then as the messages came. */
function nameOf({ high, low }: NodeHash, sequence: number): string {
  const hex = high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
  return `${hex}/${sequence.toString(36).padStart(11, "0")}`;
}

function sequenceOf(name: string): number | undefined {
  if (!/^[0-9a-f]{16}\/[0-9a-z]{11}$/.test(name)) return undefined;
  const sequence = Number.parseInt(name.slice(-11), 36);
  return Number.isSafeInteger(sequence) ? sequence : undefined;
}
