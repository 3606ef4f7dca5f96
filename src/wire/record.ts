import { concat, EMPTY, fromUtf8Lossy, room, utf8 } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { Fields } from "./check.ts";
import { decode, encode } from "./codec.ts";
import { word } from "./frame.ts";
import { errorFromPlain, errorToPlain } from "./outcome.ts";

/** What the bytes of a response are. */
export type Content = "bytes" | "text" | "json";

/** How a work ended. */
export interface WorkEnd {
  readonly state: "succeeded" | "failed" | "cancelled";
  readonly responses: number;
  readonly exitCode: number | undefined;
  readonly error: MeshError | undefined;
}

/**
 * One record of the response stream. A response whose payload is streamed is a begin, chunks, and a finish; `whole`: it is one value that was too large
 * for one record.
 */
export type ResponseRecord =
  | { readonly type: "response"; readonly content: Content; readonly channel: string | undefined; readonly payload: Uint8Array }
  | { readonly type: "begin"; readonly content: Content; readonly channel: string | undefined; readonly whole: boolean }
  | { readonly type: "chunk"; readonly payload: Uint8Array }
  | { readonly type: "finish" }
  | { readonly type: "running" }
  | { readonly type: "end"; readonly end: WorkEnd };

const TYPE = { response: 1, begin: 2, chunk: 3, finish: 4, end: 5, running: 6 } as const;
const CONTENT: readonly Content[] = ["bytes", "text", "json"];
const HAS_CHANNEL = 4;
const WHOLE = 8;

/** u8 type, u8 content and channel flag, u16 reserved, u32 length of what follows. */
export const RECORD_HEADER = 8;

function writeRecordHeader(bytes: Uint8Array, type: number, flags: number, length: number): void {
  bytes[0] = type;
  bytes[1] = flags;
  bytes[2] = 0;
  bytes[3] = 0;
  bytes[4] = length >>> 24;
  bytes[5] = length >>> 16;
  bytes[6] = length >>> 8;
  bytes[7] = length;
}

const BARE_HEAD = new Uint8Array(RECORD_HEADER);

/** Header and, if there is a channel, its name; the payload is to follow. What is returned is valid until the next call: it is written at once. */
export function recordHead(
  type: "response" | "begin" | "chunk",
  content: Content,
  channel: string | undefined,
  length: number,
  whole = false,
): Uint8Array {
  if (channel === undefined) {
    writeRecordHeader(BARE_HEAD, typeOf(type), flagOf(content) | (whole ? WHOLE : 0), length);
    return BARE_HEAD;
  }
  const label = concat([Uint8Array.of(channel.length), utf8(channel)]);
  const head = new Uint8Array(RECORD_HEADER + label.length);
  writeRecordHeader(head, typeOf(type), flagOf(content) | HAS_CHANNEL | (whole ? WHOLE : 0), label.length + length);
  head.set(label, RECORD_HEADER);
  return head;
}

/** The same bytes each time: not to be written to. */
export function finishRecord(): Uint8Array {
  return FINISH;
}

/** The same bytes each time: not to be written to. */
export function runningRecord(): Uint8Array {
  return RUNNING;
}

/** The same bytes each time for a work that succeeded with few responses, as most do: not to be written to. */
export function endRecord(end: WorkEnd): Uint8Array {
  if (end.state !== "succeeded" || end.exitCode !== undefined || end.error !== undefined) return layEnd(end);
  const known = SUCCEEDED[end.responses];
  if (known !== undefined) return known;
  const record = layEnd(end);
  if (end.responses < SUCCEEDED.length) SUCCEEDED[end.responses] = record;
  return record;
}

const SUCCEEDED: (Uint8Array | undefined)[] = new Array<undefined>(16).fill(undefined);

function layEnd(end: WorkEnd): Uint8Array {
  return bare(
    TYPE.end,
    encode({ s: end.state, n: end.responses, x: end.exitCode ?? null, e: end.error === undefined ? null : errorToPlain(end.error) }),
  );
}

function bare(type: number, body: Uint8Array): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER + body.length);
  writeRecordHeader(record, type, 0, body.length);
  record.set(body, RECORD_HEADER);
  return record;
}

const FINISH = bare(TYPE.finish, EMPTY);
const RUNNING = bare(TYPE.running, EMPTY);

/**
 * Cuts the response stream into records. The bytes pushed are copied once; payloads share that copy. A chunk that has not come whole is handed
 * over in pieces, each a chunk: to put it together would copy a large response twice. The sizes add up to the bytes pushed.
 * Throws PROTOCOL_ERROR, TOO_LARGE.
 */
export class RecordReader {
  #held: Uint8Array = EMPTY;
  /** Payload bytes of a chunk that have not come yet. */
  #missing = 0;
  readonly #allocate: (size: number) => Uint8Array;

  /** `allocate`: memory that is written all over; what it held before does not matter. */
  constructor(allocate: (size: number) => Uint8Array = room) {
    this.#allocate = allocate;
  }

  push(bytes: Uint8Array, each: (record: ResponseRecord, size: number) => void): void {
    const data = this.#join(bytes);
    let at = this.#rest(data, each);
    // Asked for once: it takes as long as to make a view.
    const { buffer, byteOffset } = data;
    while (data.length - at >= RECORD_HEADER) {
      const length = word(data, at + 4);
      if (length > LIMITS.record)
        throw new MeshError("TOO_LARGE", `a response record of ${length} bytes is over the limit of ${LIMITS.record}`);
      const size = RECORD_HEADER + length;
      const here = data.length - at;
      if (here < size) {
        if (here === RECORD_HEADER || data[at] !== TYPE.chunk || ((data[at + 1] as number) & HAS_CHANNEL) !== 0) break;
        this.#missing = size - here;
        each({ type: "chunk", payload: data.subarray(at + RECORD_HEADER) }, here);
        return;
      }
      const record = readRecord(data, at, at + size, buffer, byteOffset);
      at += size;
      if (record !== undefined) each(record, size);
    }
    if (at < data.length) this.#held = data.subarray(at);
  }

  /** What is held, and `bytes`, in memory of its own. */
  #join(bytes: Uint8Array): Uint8Array {
    const held = this.#held;
    this.#held = EMPTY;
    const data = this.#allocate(held.length + bytes.length);
    if (held.length > 0) data.set(held);
    data.set(bytes, held.length);
    return data;
  }

  /** What belongs to the chunk that was cut off. Returns where it ends. */
  #rest(data: Uint8Array, each: (record: ResponseRecord, size: number) => void): number {
    const to = Math.min(this.#missing, data.length);
    if (to === 0) return 0;
    this.#missing -= to;
    each({ type: "chunk", payload: data.subarray(0, to) }, to);
    return to;
  }
}

/** A record of a type that this version does not know is left out. */
function readRecord(data: Uint8Array, start: number, end: number, buffer: ArrayBufferLike, base: number): ResponseRecord | undefined {
  const type = data[start] as number;
  const flags = data[start + 1] as number;
  let at = start + RECORD_HEADER;
  let channel: string | undefined;
  if ((flags & HAS_CHANNEL) !== 0) {
    const length = at < end ? (data[at] as number) : 0;
    if (length === 0 || at + 1 + length > end) throw new MeshError("PROTOCOL_ERROR", "a response with a channel of no name");
    channel = fromUtf8Lossy(data.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  switch (type) {
    case TYPE.response:
      return { type: "response", content: contentOf(flags), channel, payload: new Uint8Array(buffer, base + at, end - at) };
    case TYPE.begin:
      return { type: "begin", content: contentOf(flags), channel, whole: (flags & WHOLE) !== 0 };
    case TYPE.chunk:
      return { type: "chunk", payload: data.subarray(at, end) };
    case TYPE.finish:
      return { type: "finish" };
    case TYPE.running:
      return { type: "running" };
    case TYPE.end:
      return { type: "end", end: readEnd(data, at, end) };
    default:
      return undefined;
  }
}

/** Written out: a look-up by a name that varies takes longer than all else in a header. */
function typeOf(type: "response" | "begin" | "chunk"): number {
  return type === "response" ? TYPE.response : type === "chunk" ? TYPE.chunk : TYPE.begin;
}

function flagOf(content: Content): number {
  return content === "bytes" ? 0 : content === "text" ? 1 : 2;
}

function contentOf(flags: number): Content {
  const content = CONTENT[flags & 3];
  if (content === undefined) throw new MeshError("PROTOCOL_ERROR", "a response of unknown content");
  return content;
}

/** The end of a work that succeeded looks the same each time. */
function readEnd(data: Uint8Array, from: number, to: number): WorkEnd {
  if (recentEnd !== undefined && isSame(recentEnd.bytes, data, from, to)) return recentEnd.end;
  const bytes = data.slice(from, to);
  const end = decodeEnd(bytes);
  if (end.state === "succeeded") recentEnd = { bytes, end };
  return end;
}

let recentEnd: { readonly bytes: Uint8Array; readonly end: WorkEnd } | undefined;

function isSame(bytes: Uint8Array, data: Uint8Array, from: number, to: number): boolean {
  if (bytes.length !== to - from) return false;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== data[from + i]) return false;
  return true;
}

function decodeEnd(bytes: Uint8Array): WorkEnd {
  const fields = new Fields(decode(bytes), "the end of a work");
  const state = fields.string("s", 16);
  if (state !== "succeeded" && state !== "failed" && state !== "cancelled")
    throw new MeshError("PROTOCOL_ERROR", "a work that ended in no known state");
  return {
    state,
    responses: fields.integer("n"),
    exitCode: fields.has("x") ? fields.integer("x", -1_000_000, 0xffffffff) : undefined,
    error: fields.has("e") ? errorFromPlain(fields.raw("e")) : undefined,
  };
}
