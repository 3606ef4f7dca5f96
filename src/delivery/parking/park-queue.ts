import { MeshError } from "../../core/errors.ts";
import type { MessageId } from "../../core/ids.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import type { NodeHash, NodeHashMap } from "../../core/node-hash.ts";
import { OFFSET, word } from "../../wire/frame.ts";
import { ParkIndex } from "./park-index.ts";
import { goneName, NOTHING, PageWriters } from "./park-page.ts";
import { type Release, releasePage } from "./park-release.ts";
import { ParkRestore } from "./park-restore.ts";
import { MARK, NONE } from "./park-table.ts";
import { deletesOf, expiryOf, isLive, keyOf, type Page, ParkCursor, type Parked, type Queue, slotsOf } from "./parked.ts";
import type { DeliveryPort, ParkEvents, RecordOperation } from "../ports.ts";
import type { Disk } from "../records/stored-records.ts";

export interface ParkLimits {
  readonly messages: number;
  readonly bytes: number;
  /** The share of both that one destination may take; default 1. */
  readonly perDestination?: number;
}

/** It is on the disk since it came at `since`, or could not be brought there. `parked` is valid during the call. */
export type Added = (error: MeshError | undefined, parked: Parked, since: Instant) => void;

/** Bytes taken out of the store together: enough to make an fsync cheap, few beside what a link holds. */
const GROUP_BYTES = 256 * 1024;
/** Groups of one queue on their way out of the store: while one is being sent the next is taken out. */
const GROUPS = 2;
/** After trouble with the store. */
const RETRY: Millis = 1_000;

/**
 * Messages that have no way onward, on disk by destination, oldest first. What comes for one destination in one tick shares a record, a page. A
 * message is taken out of the store before it is sent on: what a restart finds here was never sent.
 */
export class ParkQueue {
  readonly #disk: Disk;
  readonly #port: DeliveryPort;
  readonly #events: ParkEvents;
  readonly #limits: ParkLimits;
  readonly #index: ParkIndex;
  readonly #restored: ParkRestore;
  readonly #writers = new PageWriters();
  #filling: Page[] = [];
  #ready = false;
  #retryAt: Instant | undefined;

  /** `seed`: a number that peers cannot know. */
  constructor(disk: Disk, events: ParkEvents, limits: ParkLimits, seed: () => number) {
    this.#disk = disk;
    this.#port = disk.port;
    this.#events = events;
    this.#limits = limits;
    this.#index = new ParkIndex(seed);
    this.#restored = new ParkRestore(disk, this.#index);
  }

  get messages(): number {
    return this.#index.messages;
  }

  get bytes(): number {
    return this.#index.bytes;
  }

  has(destination: NodeHash): boolean {
    return this.#index.has(destination);
  }

  /** What is known of it now. */
  find(id: MessageId): Parked | undefined {
    return this.#index.find(id);
  }

  /** What waits, as it is when it is reached; `restored`: only what waited before this life, from these sources. */
  list(restored?: NodeHashMap<unknown>): Iterable<Parked> {
    return this.#index.list(restored);
  }

  destinations(): Iterable<{ readonly destination: NodeHash; readonly messages: number; readonly bytes: number }> {
    return this.#index.destinations();
  }

  /** Whether the origin of the message leaves it to this node. */
  setCustody(id: MessageId, custody: boolean): void {
    const slot = this.#index.slotOf(id);
    if (slot !== NONE) this.#index.table.mark(slot, MARK.custody, custody);
  }

  /** Whose messages waited before this life. */
  get restoredSources(): Iterable<NodeHash> {
    return this.#restored.sources;
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
    this.#restored.run(now, done);
  }

  /**
   * Takes the frame in `bytes[start, end)`, which `flush` writes; `done` runs when it is on disk. A frame that waits here already counts as stored, and its
   * origin has not left it here alone; for a copy of one that is just being stored `done` runs only where that fails. Returns STORE_FULL where
   * it may not wait.
   */
  add(now: Instant, bytes: Uint8Array, start: number, end: number, done: Added): MeshError | undefined {
    const known = this.#index.table.find(bytes, start + OFFSET.id);
    if (known !== NONE) {
      this.#addKnown(now, known, done);
      return undefined;
    }
    const [high, low] = [word(bytes, start + OFFSET.destination), word(bytes, start + OFFSET.destination + 4)];
    const queue = this.#index.queues.get(high, low);
    const full = this.#full(queue, end - start);
    if (full !== undefined) return full;
    const page = this.#pageFor(now, queue ?? this.#index.queue({ high, low }), end - start);
    page.filling?.writer?.push(bytes, start, end);
    page.filling?.dones.push(done);
    this.#index.insert(page, bytes, start, end, true);
    return undefined;
  }

  /** Writes what was added: to be called at the end of a tick. */
  flush(): void {
    const pages = this.#filling;
    if (pages.length === 0) return;
    this.#filling = [];
    for (const page of pages) this.#write(page);
  }

  /** Takes a message out for a reason of its own: cancelled, purged. False: it does not wait here. */
  remove(id: MessageId): boolean {
    const slot = this.#index.slotOf(id);
    const page = this.#index.table.page(slot);
    if (page === undefined) return false;
    this.#takeOut(page, (each) => each === slot, []);
    return true;
  }

  /** Sends on what waits for a destination that has a route, group by group, as long as the link has room. */
  drain(destination: NodeHash, release: Release, clock: () => Instant): void {
    const queue = this.#index.queues.get(destination.high, destination.low);
    if (queue !== undefined) this.#drain(queue, release, clock);
  }

  /** Tries every destination that has something waiting. */
  drainAll(release: Release, clock: () => Instant): void {
    this.#ready = false;
    for (const queue of this.#index.queues.values()) if (queue.live > 0) this.#drain(queue, release, clock);
  }

  nextWake(): Instant | undefined {
    const expiry = this.#index.expiry.next();
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

  /** Takes out what has run out of time, and reports it: `each` with what is valid during the call. */
  expire(now: Instant, each: (parked: Parked) => void): void {
    const operations: RecordOperation[] = [];
    const dead: Parked[] = [];
    for (let page = this.#index.expiry.take(now); page !== undefined; page = this.#index.expiry.take(now)) {
      this.#takeOut(page, (slot) => expiryOf(this.#index.table, page, slot) <= now, dead, operations);
      let next = Infinity;
      for (const slot of slotsOf(this.#index.table, page))
        if (isLive(this.#index.table, page, slot)) next = Math.min(next, expiryOf(this.#index.table, page, slot));
      if (next !== Infinity) this.#index.expiry.set(page, next);
    }
    this.#withdraw(operations);
    for (const parked of dead) {
      this.#events.onExpired(parked.id, parked.destination);
      each(parked);
    }
  }

  #addKnown(now: Instant, slot: number, done: Added): void {
    this.#index.table.mark(slot, MARK.custody, false);
    const filling = this.#index.table.page(slot)?.filling;
    if (filling === undefined) done(undefined, new ParkCursor(this.#index.table, slot), now);
    else filling.copies.push({ slot, done });
  }

  #pageFor(now: Instant, queue: Queue, size: number): Page {
    let page = queue.filling;
    if (page?.filling?.writer?.isFullFor(size) === true) {
      this.#write(page);
      page = undefined;
    }
    if (page !== undefined) return page;
    this.#disk.clock.use(now);
    page = this.#index.newPage(now, queue, this.#index.sequence++);
    page.filling = { writer: this.#writers.take(), dones: [], copies: [] };
    queue.filling = page;
    this.#filling.push(page);
    this.#port.markDirty();
    return page;
  }

  #write(page: Page): void {
    const { queue, filling } = page;
    const writer = filling?.writer;
    if (queue.filling !== page || filling === undefined || writer === undefined) return;
    queue.filling = undefined;
    filling.writer = undefined;
    const value = writer.close(this.#disk.clock.age(page.since));
    this.#port.records.write([{ type: "put", key: keyOf(page), value }], (error) => this.#written(page, error));
    this.#writers.give(writer);
  }

  #written(page: Page, error: MeshError | undefined): void {
    const { filling, queue } = page;
    page.filling = undefined;
    if (filling === undefined) return;
    const parked = new ParkCursor(this.#index.table, NONE);
    // Everything is put right before anybody is told, who may add again.
    const slots = [...slotsOf(this.#index.table, page)];
    const waiting = slots.map((slot) => isLive(this.#index.table, page, slot));
    if (error !== undefined) for (const [i, slot] of slots.entries()) if (waiting[i] === true) this.#index.drop(page, slot);
    if (error === undefined && page.live > 0)
      this.#events.onParked(queue.destination, page.live, () =>
        slots.filter((_, i) => waiting[i]).map((slot) => this.#index.table.id(slot)),
      );
    for (const [i, slot] of slots.entries()) {
      parked.slot = slot;
      // Of what was taken out meanwhile its origin has heard.
      if (waiting[i] === true) filling.dones[i]?.(error, parked, page.since);
    }
    if (error !== undefined)
      for (const { slot, done } of filling.copies) {
        parked.slot = slot;
        if (waiting[slots.indexOf(slot)] === true) done(error, parked, page.since);
      }
    this.#index.freeIfEmpty(page);
    // The route may have come while it was being stored.
    if (page.live === 0 || !this.#port.hasRoute(queue.destination.high, queue.destination.low)) return;
    this.#ready = true;
    this.#port.markDirty();
  }

  /** Takes what is `wanted` out of the middle of a page; where nothing stays, the whole page. Copies of what was taken are put into `into`. */
  #takeOut(page: Page, wanted: (slot: number) => boolean, into: Parked[], operations?: RecordOperation[]): void {
    if (page.live === 0) return;
    // What says that it is gone comes behind it into the store.
    if (page.queue.filling === page) this.#write(page);
    const cursor = new ParkCursor(this.#index.table, NONE);
    const places: number[] = [];
    let place = 0;
    for (cursor.slot of [...slotsOf(this.#index.table, page)]) {
      const at = place++;
      if (!isLive(this.#index.table, page, cursor.slot) || !wanted(cursor.slot)) continue;
      into.push(cursor.copy());
      this.#index.drop(page, cursor.slot);
      places.push(at);
    }
    const made = operations ?? [];
    if (places.length === 0) return;
    if (page.live > 0) for (const at of places) made.push({ type: "put", key: goneName(keyOf(page), at), value: NOTHING });
    else made.push(...deletesOf(page));
    page.taken.push(...places);
    if (operations === undefined) this.#withdraw(made);
    this.#index.freeIfEmpty(page);
  }

  #withdraw(operations: readonly RecordOperation[]): void {
    if (operations.length === 0) return;
    this.#disk.deletions.write(operations, (error) => {
      if (error !== undefined) this.#events.onTrouble(error);
    });
  }

  #drain(queue: Queue, release: Release, clock: () => Instant): void {
    if (queue.reading || queue.leaving >= GROUPS || queue.live === 0 || !this.#mayLeave(queue)) return;
    const group = this.#group(queue);
    const [first, last] = [group[0], group.at(-1)];
    if (first === undefined || last === undefined) return;
    queue.reading = true;
    const failed = (error: MeshError): void => {
      for (const page of group) this.#stay(page);
      this.#retryAt = clock() + RETRY;
      this.#port.markDirty();
      this.#events.onTrouble(error);
    };
    // What was taken out of the middle a moment ago may still be on the disk, and what could not be read at the start is.
    const found = new Map<string, Uint8Array>();
    this.#port.records.scan(
      { from: keyOf(first), to: `${keyOf(last)}~` },
      (records) => records.forEach(({ key, value }) => found.set(key, value)),
      (error) => {
        queue.reading = false;
        if (error !== undefined) return failed(error);
        if (!this.#mayLeave(queue)) {
          for (const page of group) this.#stay(page);
          return;
        }
        const operations = group.flatMap(deletesOf);
        const known = group.map(({ taken }) => taken.length);
        queue.leaving++;
        this.#port.records.write(operations, (kept) => {
          queue.leaving--;
          if (kept !== undefined) return failed(kept);
          this.#disk.deletions.supersede(operations);
          // What was taken out meanwhile has left its name behind.
          const late = group.flatMap((page, i) => page.taken.slice(known[i]).map((place) => goneName(keyOf(page), place)));
          if (late.length > 0) this.#disk.deletions.delete(late);
          const lost = (messages: number): void => this.#disk.events.onLost("parked", messages, "unreadable when there was a way onward");
          for (const page of group) {
            releasePage(this.#index, page, found.get(keyOf(page)), clock(), release, lost);
            this.#stay(page);
          }
          this.#drain(queue, release, clock);
        });
        this.#drain(queue, release, clock);
      },
    );
  }

  #mayLeave({ destination: { high, low } }: Queue): boolean {
    return this.#port.hasRoute(high, low) && !this.#port.congested(high, low);
  }

  /** The oldest pages that are on the disk, and not on their way out of it. */
  #group(queue: Queue): Page[] {
    while (queue.head < queue.pages.length && queue.pages[queue.head]?.live === 0) queue.head++;
    if (queue.head > 1_024 && queue.head * 2 > queue.pages.length) {
      queue.pages = queue.pages.slice(queue.head);
      queue.head = 0;
    }
    const group: Page[] = [];
    for (let i = queue.head, bytes = 0; i < queue.pages.length && bytes < GROUP_BYTES; i++) {
      const page = queue.pages[i];
      if (page === undefined || page.live === 0 || page.leaving) continue;
      if (page.filling !== undefined) break;
      page.leaving = true;
      group.push(page);
      bytes += page.bytes;
    }
    return group;
  }

  #stay(page: Page): void {
    page.leaving = false;
    this.#index.freeIfEmpty(page);
  }

  #full(queue: Queue | undefined, size: number): MeshError | undefined {
    const { messages, bytes, perDestination = 1 } = this.#limits;
    const over =
      this.messages >= messages ||
      this.bytes + size > bytes ||
      (queue !== undefined && (queue.live >= messages * perDestination || queue.bytes + size > bytes * perDestination));
    if (!over) return undefined;
    return new MeshError("STORE_FULL", `${this.messages} messages of ${this.bytes} bytes wait here, and no more may`, {
      data: { messages: this.messages, bytes: this.bytes },
    });
  }
}
