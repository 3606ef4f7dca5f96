import type { MeshError } from "../../core/errors.ts";
import type { Instant } from "../../core/instant.ts";
import { type NodeHash, NodeHashMap } from "../../core/node-hash.ts";
import { OFFSET, word } from "../../wire/frame.ts";
import type { ParkIndex } from "./park-index.ts";
import { ageOf, goneName, NOTHING, PARK_PREFIX, pageName, parseName, readPage } from "./park-page.ts";
import { MARK, NONE } from "./park-table.ts";
import { deletesOf, isLive, keyOf, type Page, slotsOf } from "./parked.ts";
import { type Disk, restoreRecords } from "../records/stored-records.ts";

/** Reads back into the index what waited when the node stopped. */
export class ParkRestore {
  readonly #disk: Disk;
  readonly #index: ParkIndex;
  readonly #sources = new NodeHashMap<NodeHash>();
  /** The page that was read last, or the key of one that could not be. */
  #last: Page | string | undefined;

  constructor(disk: Disk, index: ParkIndex) {
    this.#disk = disk;
    this.#index = index;
  }

  /** Whose messages waited. */
  get sources(): Iterable<NodeHash> {
    return this.#sources.values();
  }

  /** The time that the node was off counts. What cannot be read is reported. `done` runs when all is indexed. */
  run(now: Instant, done: (error: MeshError | undefined) => void): void {
    restoreRecords(
      this.#disk,
      "parked",
      PARK_PREFIX,
      (name, value) => this.#read(now, name, value),
      (error) => {
        this.#last = undefined;
        done(error);
      },
    );
  }

  #read(now: Instant, name: string, value: Uint8Array): string | undefined {
    const named = parseName(name);
    if (named === undefined) return "without a place in a queue";
    // Also behind what cannot be read: that is not written over.
    if (named.sequence >= this.#index.sequence) this.#index.sequence = named.sequence + 1;
    if (named.place !== undefined) {
      this.#readTaken(named.name, named.place);
      return undefined;
    }
    const why = this.#readPage(now, name, named.sequence, value);
    if (why !== undefined) this.#last = PARK_PREFIX + name;
    return why;
  }

  #readPage(now: Instant, name: string, sequence: number, value: Uint8Array): string | undefined {
    const starts: number[] = [];
    let destination: NodeHash | undefined;
    let strays = false;
    const why = readPage(value, (start) => {
      starts.push(start);
      const to = { high: word(value, start + OFFSET.destination), low: word(value, start + OFFSET.destination + 4) };
      destination ??= to;
      if (to.high !== destination.high || to.low !== destination.low) strays = true;
    });
    if (why !== undefined) return why;
    if (destination === undefined || strays || pageName(destination, sequence) !== name) return "for another node than its key says";
    const off = this.#disk.clock.since(ageOf(value), now);
    if (!Number.isFinite(off)) return "without the time of its parking";
    const page = this.#index.newPage(now - off, this.#index.queue(destination), sequence);
    const twice: number[] = [];
    for (const start of starts) {
      // The store would not delete it before the message came to wait here again.
      const waits = this.#index.table.find(value, start + OFFSET.id) === NONE;
      const end = start + word(value, start + OFFSET.length);
      if (!waits) twice.push(page.frames);
      const slot = this.#index.insert(page, value, start, end, waits);
      if (waits) this.#index.table.mark(slot, MARK.restored, true);
      const source = this.#index.table.source(slot);
      if (this.#sources.get(source.high, source.low) === undefined) this.#sources.set(source.high, source.low, source);
    }
    this.#last = page;
    for (const place of twice) this.#markTaken(page, place);
    return undefined;
  }

  /** Something says that a message of a page was taken out. */
  #readTaken(name: string, place: number): void {
    const page = this.#last;
    const key = PARK_PREFIX + name;
    // Of a page that cannot be read: it stays with it.
    if (page === key) return;
    if (typeof page === "string" || page === undefined || keyOf(page) !== key) return this.#disk.deletions.delete([goneName(key, place)]);
    const slot = [...slotsOf(this.#index.table, page)][place];
    page.taken.push(place);
    if (slot === undefined || !isLive(this.#index.table, page, slot)) return;
    this.#index.drop(page, slot);
    this.#deleteIfEmpty(page);
  }

  #markTaken(page: Page, place: number): void {
    page.taken.push(place);
    if (!this.#deleteIfEmpty(page)) this.#disk.deletions.write([{ type: "put", key: goneName(keyOf(page), place), value: NOTHING }]);
  }

  #deleteIfEmpty(page: Page): boolean {
    if (page.live > 0) return false;
    this.#disk.deletions.write(deletesOf(page));
    this.#index.freeIfEmpty(page);
    return true;
  }
}
