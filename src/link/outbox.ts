import type { Random } from "../core/instant.ts";
import { LIMITS } from "../core/limits.ts";
import { FRAME, LINK_HEADER, writeLinkHeader } from "../wire/frame.ts";
import type { LinkPort, OutputHooks } from "./contract.ts";
import { Lanes } from "./lanes.ts";
import type { Slab, SlabPool } from "./slab.ts";

/** Memory that waiting frames may pin, where old frames keep slabs that are nearly empty. */
const FOOTPRINT_MAX = 2 * LIMITS.linkQueueMax;
/** Bodies of link frames from this size on go out as they are: a flood has one for a thousand links. */
const DIRECT = 2_048;

/**
 * The output of one link. While the port takes bytes, frames are copied one behind the other into a slab, which leaves in one write at
 * the end of the tick. Once the port is full, frames wait in their lanes until it has drained.
 */
export class Outbox {
  readonly #port: LinkPort;
  readonly #hooks: OutputHooks;
  readonly #pool: SlabPool;
  readonly #lanes: Lanes;
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
    this.#lanes = new Lanes(pool, random);
  }

  /** Bytes that have not left: in the slab, in the lanes, and with the port. */
  get queuedBytes(): number {
    return this.#at - this.#written + this.#lanes.bytes + this.#inFlight;
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
    (this.#slab as Slab).bytes.set(bytes.subarray(start, end), at);
    this.#at = after;
    if (!this.#dirty) this.#markDirty();
    return true;
  }

  /** Writes a link frame; false: dropped. `body` must not change afterwards. */
  pushLink(kind: number, flags: number, body: Uint8Array): boolean {
    const length = LINK_HEADER + body.length;
    if (body.length >= DIRECT && !this.#blocked && this.queuedBytes + length <= limitOf(kind)) return this.#pushDirect(kind, flags, body);
    // Most such frames are the first after a while, when nothing is queued and there is no slab.
    if (this.#slab === undefined && this.#inFlight === 0 && !this.#blocked) this.#openSmall(length);
    const at = this.#at;
    if (this.#blocked || at + length > this.#room) return this.#pushSlow(kind, linkFrame(kind, flags, body), 0, length);
    const slab = this.#slab as Slab;
    writeLinkHeader(slab.view, at, length, kind, flags);
    slab.bytes.set(body, at + LINK_HEADER);
    this.#at = at + length;
    if (!this.#dirty) this.#markDirty();
    return true;
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
    if (last !== undefined) this.#port.write(last, ignore);
    this.discard();
  }

  /** Drops everything that the port does not have. */
  discard(): void {
    this.#ended = true;
    this.#blocked = true;
    this.#lanes.clear();
    this.#retire();
    this.#at = this.#written;
  }

  /** The header from a slab, the body as it is. */
  #pushDirect(kind: number, flags: number, body: Uint8Array): boolean {
    if (this.#at + LINK_HEADER > this.#room) {
      this.#write();
      this.#retire();
      if (this.#ended || this.#blocked) return this.#pushSlow(kind, linkFrame(kind, flags, body), 0, LINK_HEADER + body.length);
      this.#openSmall(LINK_HEADER);
    }
    writeLinkHeader((this.#slab as Slab).view, this.#at, LINK_HEADER + body.length, kind, flags);
    this.#at += LINK_HEADER;
    this.#write();
    if (this.#ended) return false;
    // A port that is full takes what it is given all the same: between the header and its body nothing may come.
    this.#inFlight += body.length;
    this.#writing = true;
    const full = !this.#port.write(body, () => this.#left(undefined, body.length));
    this.#writing = false;
    if (full) this.#blocked = true;
    this.#settle();
    return true;
  }

  #pushSlow(kind: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#ended) return false;
    const length = end - start;
    if (this.queuedBytes + length > limitOf(kind) || this.#lanes.footprint > FOOTPRINT_MAX) {
      this.#hooks.onDropped(kind, length);
      return false;
    }
    if (!this.#blocked) {
      this.#write();
      this.#retire();
    }
    // The write may have filled the port, or ended the link.
    if (this.#ended) return false;
    if (this.#blocked) {
      this.#lanes.push(kind, bytes, start, end);
    } else {
      this.#open(length);
      this.#copy(bytes, start, end);
      this.#markDirty();
    }
    this.#settle();
    return true;
  }

  /** From the lanes into the port, a slab at a time. */
  #pump(): void {
    for (;;) {
      const parcel = this.#lanes.peek();
      if (this.#blocked || parcel === undefined) break;
      if (this.#at + parcel.length > this.#room) {
        this.#write();
        this.#retire();
        if (this.#blocked) break;
        this.#open(parcel.length);
      }
      this.#copy(parcel.slab.bytes, parcel.start, parcel.start + parcel.length);
      this.#lanes.drop();
    }
    if (!this.#blocked) this.#write();
    this.#settle();
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    (this.#slab as Slab).bytes.set(bytes.subarray(start, end), this.#at);
    this.#at += end - start;
  }

  #open(length: number): void {
    this.#begin(this.#pool.take(length));
  }

  #openSmall(length: number): void {
    this.#begin(this.#pool.takeSmall(length));
  }

  #begin(slab: Slab): void {
    this.#slab = slab;
    this.#room = slab.bytes.length;
    this.#at = 0;
    this.#written = 0;
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
    this.#written = to;
    this.#inFlight += to - from;
    slab.hold();
    this.#writing = true;
    const full = !this.#port.write(slab.bytes.subarray(from, to), () => this.#left(slab, to - from));
    this.#writing = false;
    if (full) this.#blocked = true;
  }

  /** `bytes` of `slab`, or of a body without one, have left the port. */
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

export function linkFrame(kind: number, flags: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LINK_HEADER + body.length);
  writeLinkHeader(new DataView(frame.buffer), 0, frame.length, kind, flags);
  frame.set(body, LINK_HEADER);
  return frame;
}

function ignore(): void {
  // The link is over: nobody waits for these bytes.
}
