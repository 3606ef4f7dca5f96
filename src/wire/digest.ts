import { MeshError } from "../core/errors.ts";
import type { Millis } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { ADVERTISEMENT_MIN, type AdvertisementHead, readU48, writeU48 } from "./advertisement-layout.ts";
import { LINK_HEADER } from "./frame.ts";

// Bodies of the frames `digest`, `pull` and `advertisements`. All big-endian; each begins with one byte of flags.

const PAGE = LIMITS.controlFrame - LINK_HEADER;
const DIGEST_ENTRY = 24;
const PULL_ENTRY = 8;
const BATCH_ENTRY = 6;

export const DIGEST_FLAG = {
  /** No page follows. */
  last: 0x01,
} as const;

export const PULL_FLAG = {
  /** Go on with the exchange: what was sent so far has been taken in. */
  more: 0x01,
} as const;

export const BATCH_FLAG = {
  /** Part of the exchange on a new link, not of the flood. */
  exchange: 0x01,
  /** There is more: ask with a pull. */
  more: 0x02,
  /** The exchange is whole. */
  end: 0x04,
} as const;

/** What a digest says of one node. `boot` is the part of the boot id that names a life. */
export type DigestEntry = Omit<AdvertisementHead, "flags">;

/** Entries: u64 node hash, u48 epoch, u48 sequence, u32 boot. At least one page; each fits a control frame. */
export function encodeDigest(entries: readonly DigestEntry[]): Uint8Array[] {
  const perPage = Math.floor((PAGE - 1) / DIGEST_ENTRY);
  const pages: Uint8Array[] = [];
  for (let from = 0; from === 0 || from < entries.length; from += perPage) {
    const some = entries.slice(from, from + perPage);
    const page = new Uint8Array(1 + some.length * DIGEST_ENTRY);
    const view = new DataView(page.buffer);
    if (from + perPage >= entries.length) page[0] = DIGEST_FLAG.last;
    let at = 1;
    for (const entry of some) {
      view.setUint32(at, entry.high);
      view.setUint32(at + 4, entry.low);
      writeU48(view, at + 8, entry.epoch);
      writeU48(view, at + 14, entry.sequence);
      view.setUint32(at + 20, entry.boot);
      at += DIGEST_ENTRY;
    }
    pages.push(page);
  }
  return pages;
}

/** Reads one page; returns its flags. Throws PROTOCOL_ERROR. */
export function readDigest(body: Uint8Array, visit: (entry: DigestEntry) => void): number {
  const view = bodyOf(body, DIGEST_ENTRY, "digest");
  for (let at = 1; at < body.length; at += DIGEST_ENTRY) {
    visit({
      high: view.getUint32(at),
      low: view.getUint32(at + 4),
      epoch: readU48(view, at + 8),
      sequence: readU48(view, at + 14),
      boot: view.getUint32(at + 20),
    });
  }
  return view.getUint8(0);
}

/** Entries: u64 node hash. */
export function encodePull(flags: number, nodes: readonly { readonly high: number; readonly low: number }[]): Uint8Array {
  const body = new Uint8Array(1 + nodes.length * PULL_ENTRY);
  const view = new DataView(body.buffer);
  body[0] = flags;
  let at = 1;
  for (const node of nodes) {
    view.setUint32(at, node.high);
    view.setUint32(at + 4, node.low);
    at += PULL_ENTRY;
  }
  return body;
}

/** Reads a pull; returns its flags. Throws PROTOCOL_ERROR. */
export function readPull(body: Uint8Array, visit: (high: number, low: number) => void): number {
  const view = bodyOf(body, PULL_ENTRY, "pull");
  for (let at = 1; at < body.length; at += PULL_ENTRY) visit(view.getUint32(at), view.getUint32(at + 4));
  return view.getUint8(0);
}

/** Packs encoded advertisements into as few bodies as a control frame allows. Entries: u32 age in ms, u16 length, the advertisement. */
export class BatchWriter {
  readonly #bodies: Uint8Array[] = [];
  readonly #flags: number;
  #parts: { readonly age: Millis; readonly raw: Uint8Array }[] = [];
  #length = 1;

  constructor(flags = 0) {
    this.#flags = flags;
  }

  add(raw: Uint8Array, age: Millis): void {
    if (this.#length + BATCH_ENTRY + raw.length > PAGE) this.#close(0);
    this.#parts.push({ age, raw });
    this.#length += BATCH_ENTRY + raw.length;
  }

  /** The bodies; the last one also has the flags `last`. At least one where `last` is not 0. */
  finish(last = 0): readonly Uint8Array[] {
    if (this.#parts.length > 0 || last !== 0) this.#close(last);
    return this.#bodies;
  }

  #close(flags: number): void {
    const body = new Uint8Array(this.#length);
    const view = new DataView(body.buffer);
    body[0] = this.#flags | flags;
    let at = 1;
    for (const { age, raw } of this.#parts) {
      view.setUint32(at, Math.min(0xffffffff, Math.max(0, Math.round(age))));
      view.setUint16(at + 4, raw.length);
      body.set(raw, at + BATCH_ENTRY);
      at += BATCH_ENTRY + raw.length;
    }
    this.#bodies.push(body);
    this.#parts = [];
    this.#length = 1;
  }
}

/** Called with where an encoded advertisement lies in the body, and its age in milliseconds. */
export type BatchVisitor = (view: DataView, start: number, end: number, age: Millis) => void;

/** Reads an advertisements body. Throws PROTOCOL_ERROR or TOO_LARGE before it visits what is wrong. */
export function readBatch(body: Uint8Array, visit: BatchVisitor): void {
  const view = bodyOf(body, 1, "advertisements");
  let at = 1;
  while (at < body.length) {
    if (at + BATCH_ENTRY > body.length) throw wrong("advertisements");
    const start = at + BATCH_ENTRY;
    const end = start + view.getUint16(at + 4);
    if (end > body.length || end - start < ADVERTISEMENT_MIN) throw wrong("advertisements");
    if (end - start > LIMITS.advertisement) {
      throw new MeshError("TOO_LARGE", `an advertisement of ${end - start} bytes is over the limit of ${LIMITS.advertisement}`);
    }
    visit(view, start, end, view.getUint32(at));
    at = end;
  }
}

function bodyOf(body: Uint8Array, entry: number, what: string): DataView {
  if (body.length === 0 || (body.length - 1) % entry !== 0) throw wrong(what);
  return new DataView(body.buffer, body.byteOffset, body.byteLength);
}

function wrong(what: string): MeshError {
  return new MeshError("PROTOCOL_ERROR", `a frame of kind ${what} that is not of its form`);
}
