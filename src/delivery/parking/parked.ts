import type { MeshError } from "../../core/errors.ts";
import type { MessageId } from "../../core/ids.ts";
import type { Instant } from "../../core/instant.ts";
import type { NodeHash } from "../../core/node-hash.ts";
import { goneName, PARK_PREFIX, pageName, type PageWriter } from "./park-page.ts";
import { MARK, NONE, type ParkTable } from "./park-table.ts";
import type { RecordOperation } from "../ports.ts";

/** One message that waits. */
export interface Parked {
  readonly id: MessageId;
  readonly source: NodeHash;
  readonly destination: NodeHash;
  /** Bytes of its frame. */
  readonly size: number;
  /** It is not the first copy that its origin has sent. */
  readonly resent: boolean;
  readonly expiresAt: Instant;
  /** Its origin has left it to this node. */
  readonly custody: boolean;
  /** It is on the disk. */
  readonly stored: boolean;
}

type Done = (error: MeshError | undefined, parked: Parked, since: Instant) => void;

/** Messages that share a record. */
export interface Page {
  readonly queue: Queue;
  /** By which its slots know it. */
  number: number;
  readonly sequence: number;
  /** When the first came, also where that was in another life. */
  readonly since: Instant;
  /** Slots; each has the next. */
  first: number;
  last: number;
  /** Messages that it was written with, and those that still wait; bytes of the former. */
  frames: number;
  live: number;
  bytes: number;
  /** It is being taken out of the store. */
  leaving: boolean;
  /** Places of messages that were taken out of its middle, which the store says with a record each. */
  taken: number[];
  /** Until it is on the disk: what is to be written, until that is done, who waits for each, and who brought other copies meanwhile. */
  filling:
    | { writer: PageWriter | undefined; readonly dones: Done[]; readonly copies: { readonly slot: number; readonly done: Done }[] }
    | undefined;
}

/** What waits for one destination. */
export interface Queue {
  readonly destination: NodeHash;
  pages: Page[];
  head: number;
  live: number;
  bytes: number;
  /** A group is being read, and so many are being deleted. */
  reading: boolean;
  leaving: number;
  /** The page that takes what comes in this tick. */
  filling: Page | undefined;
}

/** The message in one slot, read when it is asked for. */
export class ParkCursor implements Parked {
  readonly #table: ParkTable<Page>;
  slot: number;

  constructor(table: ParkTable<Page>, slot: number) {
    this.#table = table;
    this.slot = slot;
  }

  get id(): MessageId {
    return this.#table.id(this.slot);
  }

  get source(): NodeHash {
    return this.#table.source(this.slot);
  }

  get destination(): NodeHash {
    return this.#table.page(this.slot)?.queue.destination ?? NOBODY;
  }

  get size(): number {
    return this.#table.size(this.slot);
  }

  get resent(): boolean {
    return this.#table.has(this.slot, MARK.resent);
  }

  get expiresAt(): Instant {
    const page = this.#table.page(this.slot);
    return page === undefined ? -Infinity : expiryOf(this.#table, page, this.slot);
  }

  get custody(): boolean {
    return this.#table.has(this.slot, MARK.custody);
  }

  get stored(): boolean {
    return this.#table.page(this.slot)?.filling === undefined;
  }

  /** What is so now, for later. */
  copy(): Parked {
    const { id, source, destination, size, resent, expiresAt, custody, stored } = this;
    return { id, source, destination, size, resent, expiresAt, custody, stored };
  }
}

const NOBODY: NodeHash = { high: 0, low: 0 };

/** The slots of a page, in its order. */
export function* slotsOf(table: ParkTable<Page>, page: Page): Generator<number> {
  for (let slot = page.first; slot !== NONE; slot = table.next(slot)) yield slot;
}

/** Whether the message in this slot of the page waits. */
export function isLive(table: ParkTable<Page>, page: Page, slot: number): boolean {
  return table.page(slot) === page && !table.has(slot, MARK.gone);
}

/** When the time of the message in this slot of the page runs out. */
export function expiryOf(table: ParkTable<Page>, page: Page, slot: number): Instant {
  return page.since + table.ttl(slot);
}

/** Under which a page is stored. */
export function keyOf({ queue, sequence }: Page): string {
  return PARK_PREFIX + pageName(queue.destination, sequence);
}

/** Takes a page out of the store, with what says what was taken out of its middle. */
export function deletesOf(page: Page): RecordOperation[] {
  const key = keyOf(page);
  return [{ type: "delete", key }, ...page.taken.map((place): RecordOperation => ({ type: "delete", key: goneName(key, place) }))];
}
