import { Deadlines } from "../../core/deadlines.ts";
import type { MessageId } from "../../core/ids.ts";
import type { Instant } from "../../core/instant.ts";
import { type NodeHash, NodeHashMap } from "../../core/node-hash.ts";
import { writeMessageId } from "../../wire/message-id.ts";
import { MARK, NONE, ParkTable } from "./park-table.ts";
import { expiryOf, isLive, type Page, ParkCursor, type Parked, type Queue, slotsOf } from "./parked.ts";

/** What a node knows in memory of the messages that wait on its disk: by id, by destination in their order, and by when their time runs out. */
export class ParkIndex {
  readonly table: ParkTable<Page>;
  readonly queues = new NodeHashMap<Queue>();
  /** No message of a page runs out of time before. */
  readonly expiry = new Deadlines<Page>();
  /** Of the page that is written next. */
  sequence = 0;
  #bytes = 0;

  /** `seed`: a number that peers cannot know. */
  constructor(seed: () => number) {
    this.table = new ParkTable(seed);
  }

  get messages(): number {
    return this.table.messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(destination: NodeHash): boolean {
    return (this.queues.get(destination.high, destination.low)?.live ?? 0) > 0;
  }

  /** What is known of it now. */
  find(id: MessageId): Parked | undefined {
    const slot = this.slotOf(id);
    return slot === NONE ? undefined : new ParkCursor(this.table, slot).copy();
  }

  /** What waits, as it is when it is reached; `restored`: only what waited before this life, from these sources. */
  *list(restored?: NodeHashMap<unknown>): Generator<Parked> {
    const cursor = new ParkCursor(this.table, NONE);
    for (const queue of [...this.queues.values()]) {
      for (const page of queue.pages.slice(queue.head)) {
        for (cursor.slot of [...slotsOf(this.table, page)]) {
          if (!isLive(this.table, page, cursor.slot)) continue;
          if (restored === undefined) yield cursor.copy();
          else if (this.table.has(cursor.slot, MARK.restored) && restored.get(cursor.source.high, cursor.source.low) !== undefined)
            yield cursor.copy();
        }
      }
    }
  }

  *destinations(): Generator<{ readonly destination: NodeHash; readonly messages: number; readonly bytes: number }> {
    for (const queue of this.queues.values())
      if (queue.live > 0) yield { destination: queue.destination, messages: queue.live, bytes: queue.bytes };
  }

  /** `NONE`: it does not wait here. */
  slotOf(id: MessageId): number {
    writeMessageId(ID, 0, id);
    return this.table.find(ID, 0);
  }

  queue(destination: NodeHash): Queue {
    const found = this.queues.get(destination.high, destination.low);
    if (found !== undefined) return found;
    const queue: Queue = { destination, pages: [], head: 0, live: 0, bytes: 0, reading: false, leaving: 0, filling: undefined };
    this.queues.set(destination.high, destination.low, queue);
    return queue;
  }

  newPage(since: Instant, queue: Queue, sequence: number): Page {
    const page: Page = {
      queue,
      number: NONE,
      sequence,
      since,
      first: NONE,
      last: NONE,
      frames: 0,
      live: 0,
      bytes: 0,
      leaving: false,
      taken: [],
      filling: undefined,
    };
    page.number = this.table.enlist(page);
    queue.pages.push(page);
    return page;
  }

  /** The time to live in its frame is what was left when the page was begun. */
  insert(page: Page, bytes: Uint8Array, start: number, end: number, waits: boolean): number {
    const table = this.table;
    const slot = table.add(page.number, bytes, start, end, waits);
    if (page.last === NONE) page.first = slot;
    else table.chain(page.last, slot);
    page.last = slot;
    page.frames++;
    page.bytes += end - start;
    if (!waits) return slot;
    page.live++;
    page.queue.live++;
    page.queue.bytes += end - start;
    this.#bytes += end - start;
    const expiresAt = expiryOf(table, page, slot);
    if (expiresAt < (this.expiry.get(page) ?? Infinity)) this.expiry.set(page, expiresAt);
    return slot;
  }

  drop(page: Page, slot: number): void {
    this.table.drop(slot);
    const size = this.table.size(slot);
    page.live--;
    page.queue.live--;
    page.queue.bytes -= size;
    this.#bytes -= size;
  }

  /** Once a page is neither written nor sent, and nothing of it waits, its slots are for others. */
  freeIfEmpty(page: Page): void {
    if (page.live > 0 || page.leaving || page.filling !== undefined || page.first === NONE) return;
    for (const slot of [...slotsOf(this.table, page)]) this.table.free(slot);
    this.table.delist(page.number);
    page.first = NONE;
    page.last = NONE;
    this.expiry.delete(page);
    const { queue } = page;
    const { high, low } = queue.destination;
    if (queue.live === 0 && queue.leaving === 0 && !queue.reading && this.queues.get(high, low) === queue) this.queues.delete(high, low);
  }
}

const ID = new Uint8Array(16);
