import type { Instant, Millis } from "../../core/instant.ts";
import type { NodeHash } from "../../core/node-hash.ts";
import { OFFSET, word } from "../../wire/frame.ts";
import { viewOf, whyNoFrame } from "../records/stored-records.ts";

/** Under which all that waits is stored: a page under its name, and under the name with a place behind it what was taken out of its middle. */
export const PARK_PREFIX = "park/";
/** Before the frames of a page: the age of the store when the first was parked, as a float. */
const ENVELOPE = 8;
/** What stands under the name of something that was taken out. */
export const NOTHING = new Uint8Array(0);
/** Bytes of frames after which a page takes no more: a damaged record costs all that is in it. */
export const PAGE_BYTES = 16_384;
/** Frames of one page; their places are numbers of two digits in base 36. */
const PAGE_FRAMES = 1_024;
/** Grows fourfold: twice is enough for a full page. */
const SMALLEST = 1_280;
const FULL = 16 * SMALLEST;
/** Writers that are kept: pages are filled one after the other, one for each destination in a tick. */
const SPARE = 16;

/** One record while it is being filled: the age, then frames, one behind the other. */
export class PageWriter {
  #bytes = new Uint8Array(SMALLEST);
  #length = ENVELOPE;
  #frames = 0;

  get frames(): number {
    return this.#frames;
  }

  /** Whether `size` more bytes belong into another page. A frame alone fits always. */
  isFullFor(size: number): boolean {
    return this.#frames > 0 && (this.#length - ENVELOPE + size > PAGE_BYTES || this.#frames === PAGE_FRAMES);
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#bytes.length) {
      const wider = new Uint8Array(Math.max(length, this.#bytes.length * 4));
      wider.set(this.#bytes);
      this.#bytes = wider;
    }
    this.#bytes.set(bytes.subarray(start, end), this.#length);
    this.#length = length;
    this.#frames++;
  }

  /** The record; valid until the next page is begun here. */
  close(age: Millis): Uint8Array {
    const value = this.#bytes.subarray(0, this.#length);
    viewOf(value).setFloat64(0, age);
    this.#length = ENVELOPE;
    this.#frames = 0;
    return value;
  }

  /** Bytes of memory that it keeps. */
  get room(): number {
    return this.#bytes.length;
  }
}

/** Writers that are used again: the memory of each that was not would lie about until the collector came for it. */
export class PageWriters {
  readonly #spare: PageWriter[] = [];

  take(): PageWriter {
    return this.#spare.pop() ?? new PageWriter();
  }

  /** To be called once its record has been copied. */
  give(writer: PageWriter): void {
    if (this.#spare.length < SPARE && writer.room <= FULL) this.#spare.push(writer);
  }
}

/** The age of the store that a page was written at; NaN where it is none. */
export function ageOf(value: Uint8Array): Instant {
  return viewOf(value).getFloat64(0);
}

/** Calls `each` with where every frame of a page begins and ends; answers why the page cannot be read, if it cannot: then with none. */
export function readPage(value: Uint8Array, each: (start: number, end: number) => void): string | undefined {
  let at = ENVELOPE;
  do {
    const why = whyNoFrame(value, at);
    if (why !== undefined) return why;
    at += word(value, at + OFFSET.length);
  } while (at < value.length);
  for (let start = ENVELOPE; start < value.length; ) {
    const end = start + word(value, start + OFFSET.length);
    each(start, end);
    start = end;
  }
  return undefined;
}

/** Sorts by destination, then as the messages came. */
export function pageName({ high, low }: NodeHash, sequence: number): string {
  const hex = high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
  return `${hex}/${sequence.toString(36).padStart(11, "0")}`;
}

/** The name of what says that the message at `place` of the page was taken out. */
export function goneName(page: string, place: number): string {
  return `${page}/${place.toString(36).padStart(2, "0")}`;
}

export interface Named {
  /** Of the page. */
  readonly name: string;
  readonly sequence: number;
  /** Of the message in it that was taken out; undefined: this is the page. */
  readonly place: number | undefined;
}

export function parseName(name: string): Named | undefined {
  if (!/^[0-9a-f]{16}\/[0-9a-z]{11}(\/[0-9a-z]{2})?$/.test(name)) return undefined;
  const page = name.slice(0, 28);
  const sequence = Number.parseInt(page.slice(-11), 36);
  if (!Number.isSafeInteger(sequence)) return undefined;
  return { name: page, sequence, place: name.length === page.length ? undefined : Number.parseInt(name.slice(-2), 36) };
}
