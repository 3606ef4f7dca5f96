import type { Random } from "../core/instant.ts";
import { LIMITS, WRITE_ROOM } from "../core/limits.ts";
import { FRAME, LINK_HEADER, writeLinkHeader } from "../wire/frame.ts";
import type { LinkPort, OutputHooks } from "./contract.ts";
import { Lanes } from "./lanes.ts";
import { linkFrame } from "./shared-frame.ts";
import { type Slab, SLAB_BYTES, type SlabPool, SMALL_BYTES } from "./slab.ts";

/** Memory that waiting frames may pin, where old frames keep slabs that are nearly empty. */
const FOOTPRINT_MAX = 2 * LIMITS.linkQueueMax;

/** Bytes of one write while frames wait for a port that was full: what it has is before all that comes, however urgent. */
const PUMPED = SLAB_BYTES / 2;

/** Bytes that are worth a write of their own while more is made: some thirty small works. Half of what 64 outstanding ones are: two ends then work side by side. */
const EARLY = 12 * 1024;

/**
 * The output of one link. While the port takes bytes, frames are copied one behind the other into a slab, which leaves in one write at
 * the end of the tick. Once the port is full, frames wait in their lanes until it has drained.
 */
export class Outbox {
  readonly #port: LinkPort;
  readonly #hooks: OutputHooks;
  readonly #pool: SlabPool;
  readonly #random: Random;
  /** Made when the port is full for the first time. */
  #lanes: Lanes | undefined;
  #slab: Slab | undefined;
  /** Where the next frame goes, what has been written up to, and where the slab ends (0 without one). */
  #at = 0;
  #written = 0;
  #room = 0;
  #inFlight = 0;
  #blocked = false;
  #over = false;
  #dirty = false;
  #ended = false;
  #writing = false;

  constructor(port: LinkPort, hooks: OutputHooks, pool: SlabPool, random: Random) {
    this.#port = port;
    this.#hooks = hooks;
    this.#pool = pool;
    this.#random = random;
  }

  /** Bytes that have not left: in the slab, in the lanes, and with the port. */
  get queuedBytes(): number {
    return this.#at - this.#written + (this.#lanes?.bytes ?? 0) + this.#inFlight;
  }

  /** More than LIMITS.linkQueueHigh was queued, and since then never less than half of that. */
  get congested(): boolean {
    return this.#over;
  }

  /** Copies a whole frame; false: dropped. */
  push(kind: number, bytes: Uint8Array, start: number, end: number): boolean {
    const at = this.#at;
    const after = at + end - start;
    if (this.#blocked || after > this.#room) return this.#pushSlow(kind, bytes, start, end);
    (this.#slab as Slab).bytes.set(end - start === bytes.length ? bytes : bytes.subarray(start, end), at);
    this.#at = after;
    if (!this.#dirty) this.#markDirty();
    return true;
  }

  /** Writes a link frame; false: dropped. `body` must not change afterwards. */
  pushLink(kind: number, flags: number, body: Uint8Array): boolean {
    const length = LINK_HEADER + body.length;
    if (this.#blocked) return this.#pushSlow(kind, linkFrame(kind, flags, body), 0, length);
    if (this.#at + length > this.#room) {
      if (this.#slab !== undefined || length > SMALL_BYTES - WRITE_ROOM) return this.#pushShared(kind, flags, body);
      this.#begin(this.#pool.takeSmall());
    }
    const slab = this.#slab as Slab;
    writeLinkHeader(slab.view, this.#at, length, kind, flags);
    slab.bytes.set(body, this.#at + LINK_HEADER);
    this.#at += length;
    if (!this.#dirty) this.#markDirty();
    return true;
  }

  /**
   * After a frame of `length` bytes: writes what has gathered where that is much, so that its reader has something to do while more is made.
   * Large frames are worth waiting for the next, which shares their write.
   */
  hasten(length: number): void {
    if (length < EARLY && this.#at - this.#written >= EARLY) this.#write();
  }

  /** Writes what this tick has gathered. */
  flush(): void {
    this.#dirty = false;
    if (!this.#blocked) this.#write();
    this.#settle();
  }

  /** The port takes bytes again. */
  drained(): void {
    this.#blocked = false;
    this.#pump();
  }

  /** Nothing goes out after `last`, and what waited behind a full port is dropped. */
  end(last: Uint8Array | undefined): void {
    if (this.#ended) return;
    this.#write();
    this.#ended = true;
    if (last !== undefined) this.#port.write(last, ignore, false);
    this.discard();
  }

  /** Drops everything that the port does not have. */
  discard(): void {
    this.#ended = true;
    this.#blocked = true;
    this.#lanes?.clear();
    this.#retire();
    this.#at = this.#written;
  }

  /** From the buffer that all links have for it: a flood that took a slab of each of a thousand links would take 64 MiB. */
  #pushShared(kind: number, flags: number, body: Uint8Array): boolean {
    const length = LINK_HEADER + body.length;
    if (this.queuedBytes + length > limitOf(kind)) return this.#drop(kind, length);
    this.#write();
    // The write may have filled the port, or ended the link.
    if (this.#ended || this.#blocked) return this.#pushSlow(kind, linkFrame(kind, flags, body), 0, length);
    this.#inFlight += length;
    this.#writing = true;
    const full = !this.#port.write(this.#pool.shared.of(kind, flags, body), () => this.#left(undefined, length), false);
    this.#writing = false;
    if (full) this.#blocked = true;
    this.#settle();
    return true;
  }

  #pushSlow(kind: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#ended) return false;
    const length = end - start;
    if (this.queuedBytes + length > limitOf(kind) || (this.#lanes?.footprint ?? 0) > FOOTPRINT_MAX) return this.#drop(kind, length);
    if (!this.#blocked) {
      this.#write();
      this.#retire();
    }
    // The write may have filled the port, or ended the link.
    if (this.#ended) return false;
    if (this.#blocked) {
      this.#lanes ??= new Lanes(this.#pool, this.#random);
      this.#lanes.push(kind, bytes, start, end);
    } else {
      this.#open(length);
      this.#copy(bytes, start, end);
      this.#markDirty();
    }
    this.#settle();
    return true;
  }

  #drop(kind: number, length: number): false {
    this.#hooks.onDropped(kind, length);
    return false;
  }

  /** From the lanes into the port, a slab at a time. */
  #pump(): void {
    for (;;) {
      const parcel = this.#lanes?.peek();
      if (this.#blocked || parcel === undefined) break;
      if (this.#at + parcel.length > this.#room) {
        this.#write();
        this.#retire();
        if (this.#blocked) break;
        this.#open(parcel.length);
        this.#room = Math.min(this.#room, Math.max(PUMPED, WRITE_ROOM + parcel.length));
      }
      this.#copy(parcel.slab.bytes, parcel.start, parcel.start + parcel.length);
      this.#lanes?.drop();
    }
    if (!this.#blocked) this.#write();
    this.#settle();
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    (this.#slab as Slab).bytes.set(bytes.subarray(start, end), this.#at);
    this.#at += end - start;
  }

  #open(length: number): void {
    this.#begin(this.#pool.take(WRITE_ROOM + length));
  }

  #begin(slab: Slab): void {
    this.#slab = slab;
    this.#room = slab.bytes.length;
    this.#at = WRITE_ROOM;
    this.#written = WRITE_ROOM;
  }

  #retire(): void {
    const slab = this.#slab;
    this.#slab = undefined;
    this.#room = 0;
    this.#at = 0;
    this.#written = 0;
    slab?.release();
  }

  #write(): void {
    const slab = this.#slab;
    const from = this.#written;
    const to = this.#at;
    if (slab === undefined || from === to) return;
    this.#at = to + WRITE_ROOM;
    this.#written = this.#at;
    this.#inFlight += to - from;
    slab.hold();
    this.#writing = true;
    const full = !this.#port.write(slab.bytes.subarray(from, to), () => this.#left(slab, to - from), true);
    this.#writing = false;
    if (full) this.#blocked = true;
  }

  /** `bytes` of `slab`, or of a frame without one, have left the port. */
  #left(slab: Slab | undefined, bytes: number): void {
    this.#inFlight -= bytes;
    slab?.release();
    // An idle link holds no slab.
    if (slab !== undefined && slab === this.#slab && this.#at === this.#written) this.#retire();
    // Who is told that there is room may send at once, and must not do so in the middle of a write.
    if (!this.#writing) this.#settle();
  }

  #settle(): void {
    const queued = this.queuedBytes;
    if (queued > LIMITS.linkQueueHigh) this.#over = true;
    if (!this.#over || this.#ended || queued >= LIMITS.linkQueueHigh / 2) return;
    this.#over = false;
    this.#hooks.onWritable();
  }

  #markDirty(): void {
    this.#dirty = true;
    this.#hooks.markDirty();
  }
}

/** What may wait: control has a little room of its own, above what messages and chunks can fill. */
function limitOf(kind: number): number {
  return kind === FRAME.data || kind === FRAME.message ? LIMITS.linkQueueMax : LIMITS.linkQueueMax + LIMITS.linkQueueHigh;
}

function ignore(): void {
  // The link is over: nobody waits for these bytes.
}
