import { EMPTY } from "../../core/bytes.ts";
import { LIMITS } from "../../core/limits.ts";

/** Most streams fit their first segment, which has room for the end behind the first response; what is longer grows fourfold with each. */
const FIRST_SEGMENT = 256;
const END_ROOM = 64;
const GROWTH = 4;
/** First segments up to here share their memory with others. */
const SMALL = 4_096;
/** Empty segments that a stream keeps for what it sends next: as many as one acknowledgement can set free. */
const SPARE = LIMITS.window / LIMITS.chunk;

/** Before the bytes of a whole segment: room for the header of a frame, so that nothing is copied to put the two together. */
export const HEAD_ROOM = 64;

/** Bytes of a stream, to be sent as one chunk: `bytes[from, to)` at `offset`. */
export interface Chunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly fin: boolean;
  /** HEAD_ROOM bytes before `from` are nobody's: a header may be written there. */
  readonly roomy: boolean;
}

/** Bytes that lie in one piece: `bytes[start, start + length)`. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
}

/** A part of the stream: `bytes[start, start + length)`, with room for `size`. */
interface Segment {
  offset: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly size: number;
  length: number;
  /** The first record that begins in this segment, and where. */
  serial: number | undefined;
  serialOffset: number;
  /** HEAD_ROOM bytes before `start` are its own. */
  readonly roomy: boolean;
}

/** Nothing is ever put into it: most streams have one segment, and an array that was empty makes room for many. */
const NO_SEGMENTS: Segment[] = [];

const NURSERY = 32 * 1024;

/**
 * Memory for the first segments of many streams: a buffer for each would cost a small stream more than all else that is done for it. What is
 * taken goes back when all that share its buffer are gone.
 */
export class Nursery {
  /** What was taken last lies in here. */
  bytes = new Uint8Array(0);
  #at = 0;

  /** Takes room for `size` bytes in `bytes`; returns where. */
  take(size: number): number {
    if (this.#at + size > this.bytes.length) {
      this.bytes = new Uint8Array(Math.max(NURSERY, size));
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += size;
    return at;
  }
}

/**
 * One direction of a stream at the end that writes it. Keeps what is not acknowledged, and up to `retain` bytes of what is, for a
 * reader that attaches again. Go-back-N: after a loss it sends again from what was acknowledged.
 */
export class StreamSender {
  readonly #retain: number;
  readonly #nursery: Nursery | undefined;
  #segments: Segment[] = NO_SEGMENTS;
  /** Of a long stream each segment is used again: to allocate at its pace makes the collector stop the node 30 times a second. */
  #spare: Segment[] | undefined;
  #sent = 0;
  #acked = 0;
  #end = 0;
  #limit: number = LIMITS.credit;
  #ended = false;
  #finSent = false;
  #done = false;
  #highest = 0;
  #wentBackTo = -1;

  /** `nursery`: for streams that are many and small. */
  constructor(retain: number, nursery?: Nursery) {
    this.#retain = retain;
    this.#nursery = nursery;
  }

  /** A stream that has ended, and that its reader has; from its first record on. */
  static of({ bytes, start, length }: Piece, retain: number): StreamSender {
    const sender = new StreamSender(retain);
    sender.#segments = [{ offset: 0, bytes, start, size: length, length, serial: 1, serialOffset: 0, roomy: false }];
    sender.#end = sender.#sent = sender.#acked = sender.#highest = length;
    sender.#ended = sender.#finSent = sender.#done = true;
    return sender;
  }

  /** Whether the writer may go on: what waits for its acknowledgement is less than one credit, and than what the reader has granted. */
  get writable(): boolean {
    return this.#end < Math.max(this.#limit, this.#acked + LIMITS.credit);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Its reader has all of it. */
  get done(): boolean {
    return this.#done;
  }

  /** Something was sent that is not acknowledged, or could not be sent for want of credit. */
  get outstanding(): boolean {
    return !this.#done && (this.#sent > this.#acked || this.#finSent || this.#sent < this.#end);
  }

  get acked(): number {
    return this.#acked;
  }

  /** As much may leave as a chunk has at most: no more is gained by waiting for what follows. */
  get chunkReady(): boolean {
    return Math.min(this.#end, this.#limit) - this.#sent >= LIMITS.chunk;
  }

  /** Bytes held in memory, but for up to one credit of empty segments. */
  get held(): number {
    return this.#end - (this.#segments[0]?.offset ?? this.#end);
  }

  /** All that was ever written, in one piece, where it is at most `most` bytes and none was let go. */
  whole(most: number, nursery: Nursery): Piece | undefined {
    const first = this.#segments[0];
    if (first === undefined || first.offset !== 0 || this.#end > most) return undefined;
    if (this.#segments.length === 1) return first;
    const start = nursery.take(this.#end);
    const { bytes } = nursery;
    for (const segment of this.#segments)
      bytes.set(segment.bytes.subarray(segment.start, segment.start + segment.length), start + segment.offset);
    return { bytes, start, length: this.#end };
  }

  /** Bytes that had to be sent more than once so far. */
  resent = 0;

  /** So many bytes are written next: they lie in one segment, where they are the first. */
  reserve(count: number): void {
    if (this.#segments.length === 0) this.#tail(count);
  }

  /** Copies a record, or its `head` and its `body`; `serial` names it for a later `rewind`. */
  write(head: Uint8Array, body = EMPTY, serial?: number): void {
    const length = head.length + body.length;
    if (length === 0) return;
    const segment = this.#tail(length);
    if (serial !== undefined) {
      segment.serial ??= serial;
      if (segment.serial === serial) segment.serialOffset = this.#end;
    }
    if (length > segment.size - segment.length) {
      this.#copy(head, body.length);
      this.#copy(body, 0);
      return;
    }
    const at = segment.start + segment.length;
    copy(head, 0, head.length, segment.bytes, at);
    copy(body, 0, body.length, segment.bytes, at + head.length);
    segment.length += length;
    this.#end += length;
  }

  /** `after`: bytes that follow these. */
  #copy(part: Uint8Array, after: number): void {
    for (let at = 0; at < part.length; ) {
      const segment = this.#tail(part.length - at + after);
      const count = Math.min(part.length - at, segment.size - segment.length);
      copy(part, at, count, segment.bytes, segment.start + segment.length);
      segment.length += count;
      this.#end += count;
      at += count;
    }
  }

  end(): void {
    this.#ended = true;
    this.#spare = undefined;
  }

  /**
   * The next chunk that credit allows, at most 32 KiB; undefined: nothing to send now. A chunk costs its ends much the same whatever its length:
   * what credit would cut in two waits for more of it while some is on its way. `more`: more is being written, and what makes no whole chunk waits for it.
   */
  take(more = false): Chunk | undefined {
    if (this.#done || (more && !this.chunkReady)) return undefined;
    const room = this.#limit - this.#sent;
    if (this.#sent < this.#end && room > 0) {
      const segment = this.#segmentAt(this.#sent);
      if (segment === undefined) return undefined;
      const passed = this.#sent - segment.offset;
      const left = Math.min(segment.length - passed, LIMITS.chunk);
      if (left > room && this.#sent > this.#acked) return undefined;
      const length = Math.min(left, room);
      const from = segment.start + passed;
      const chunk = {
        offset: this.#sent,
        bytes: segment.bytes,
        from,
        to: from + length,
        fin: this.#ended && this.#sent + length === this.#end,
        roomy: passed === 0 && segment.roomy,
      };
      this.#sent += length;
      if (this.#sent <= this.#highest) this.resent += length;
      else this.#highest = this.#sent;
      this.#finSent ||= chunk.fin;
      return chunk;
    }
    if (this.#ended && !this.#finSent && this.#sent === this.#end) {
      this.#finSent = true;
      return { offset: this.#sent, bytes: EMPTY, from: 0, to: 0, fin: true, roomy: false };
    }
    return undefined;
  }

  /** Where the next byte to be sent lies; the place for a probe. */
  get sent(): number {
    return this.#sent;
  }

  /** `false`: the reader claims what was never sent. */
  acknowledge(offset: number, window: number, done: boolean): boolean {
    if (offset > this.#highest || (done && offset !== this.#end)) return false;
    if (offset > this.#acked) {
      this.#acked = offset;
      if (this.#sent < offset) this.#sent = offset;
    }
    if (offset >= this.#acked) this.#limit = offset + Math.min(window, 16 * LIMITS.credit);
    if (done && this.#ended) this.#done = true;
    this.#release();
    return true;
  }

  /** What was sent beyond what is acknowledged is lost: send it again. */
  goBack(): void {
    this.#sent = this.#acked;
    this.#finSent = false;
    this.#wentBackTo = this.#acked;
  }

  /**
   * The reader has come to `offset` and misses what follows. It says so for each chunk of a flight; only the first time is an answer, or
   * copies would beget copies. A loss of the copy too is left to a probe.
   */
  missing(offset: number): void {
    if (offset === this.#acked && offset !== this.#wentBackTo) this.goBack();
  }

  /**
   * Starts over for a reader that wants responses from `serial` on: returns where the stream then begins and which response
   * begins there, at or before the one asked for; undefined where those bytes are gone.
   */
  rewind(serial: number, nextSerial: number): { readonly offset: number; readonly serial: number } | undefined {
    let found: Segment | undefined;
    for (const segment of this.#segments) if (segment.serial !== undefined && segment.serial <= serial) found = segment;
    const place = found?.serial === undefined ? this.#tailPlace(serial, nextSerial) : { offset: found.serialOffset, serial: found.serial };
    if (place === undefined) return undefined;
    this.#acked = place.offset;
    this.#sent = place.offset;
    this.#wentBackTo = -1;
    this.#limit = place.offset + LIMITS.credit;
    this.#finSent = false;
    this.#done = false;
    return place;
  }

  /** Lets go of all that is acknowledged. Returns how many bytes that freed. */
  trim(): number {
    const before = this.held;
    this.#release(0);
    return before - this.held;
  }

  #tailPlace(serial: number, nextSerial: number): { offset: number; serial: number } | undefined {
    return serial >= nextSerial || this.#end === 0 ? { offset: this.#end, serial: nextSerial } : undefined;
  }

  #tail(wanted: number): Segment {
    const last = this.#segments.at(-1);
    if (last !== undefined && last.length < last.size) return last;
    const spare = this.#spare?.pop();
    if (spare !== undefined) {
      spare.offset = this.#end;
      spare.length = 0;
      spare.serial = undefined;
      this.#segments.push(spare);
      return spare;
    }
    const least = last === undefined ? Math.max(FIRST_SEGMENT, wanted + END_ROOM) : last.size * GROWTH;
    const size = Math.min(LIMITS.chunk, Math.max(least, wanted));
    const nursery = last === undefined && size <= SMALL ? this.#nursery : undefined;
    const roomy = nursery !== undefined || size === LIMITS.chunk;
    const before = roomy ? HEAD_ROOM : 0;
    const start = before + (nursery?.take(before + size) ?? 0);
    const bytes = nursery?.bytes ?? new Uint8Array(start + size);
    const segment: Segment = { offset: this.#end, bytes, start, size, length: 0, serial: undefined, serialOffset: 0, roomy };
    if (last === undefined) this.#segments = [segment];
    else this.#segments.push(segment);
    return segment;
  }

  #segmentAt(offset: number): Segment | undefined {
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const segment = this.#segments[i];
      if (segment !== undefined && segment.offset <= offset) return segment;
    }
    return undefined;
  }

  #release(retain = this.#retain): void {
    let drop = 0;
    for (const segment of this.#segments) {
      const end = segment.offset + segment.length;
      const whole = segment.length === segment.size || this.#ended;
      if (!whole || end > this.#acked || this.#end - end < retain) break;
      drop++;
    }
    if (drop === 0) return;
    const dropped = this.#segments.splice(0, drop);
    if (this.#ended) return;
    const spare = (this.#spare ??= []);
    for (const segment of dropped) if (segment.size === LIMITS.chunk && spare.length < SPARE) spare.push(segment);
  }
}

/** Headers are a few bytes, which a loop copies sooner than a call does. */
function copy(from: Uint8Array, at: number, count: number, to: Uint8Array, start: number): void {
  if (count <= 16) for (let i = 0; i < count; i++) to[start + i] = from[at + i] as number;
  else to.set(count === from.length ? from : from.subarray(at, at + count), start);
}
