import type { MessageId } from "../core/ids.ts";
import { ROUTED_HEADER } from "./frame.ts";
import { readMessageId, writeMessageId } from "./message-id.ts";

/** How much of one stream has arrived, and how much more may come. Many travel in one frame. */
export interface Acknowledgement {
  readonly id: MessageId;
  /** The stream acknowledged runs away from the message's origin. */
  readonly upward: boolean;
  /** Something before this offset is missing: send again from it. */
  readonly gap: boolean;
  /** Answer to a probe: what was sent before the probe and is not covered is lost. */
  readonly probed: boolean;
  /** The stream is whole, and its reader has all of it. */
  readonly done: boolean;
  /** Nobody reads: stop sending, keep it for whoever attaches. */
  readonly detached: boolean;
  /** As in the chunks that are acknowledged. */
  readonly generation: number;
  /** All bytes before it have arrived. */
  readonly offset: number;
  /** How many bytes beyond `offset` may be sent. */
  readonly window: number;
}

/** 16 bytes id, u8 flags, u8 reserved, u16 generation, u32 window, u64 offset. */
export const ACKNOWLEDGEMENT_SIZE = 32;

const UPWARD = 1;
const GAP = 2;
const PROBED = 4;
const DONE = 8;
const DETACHED = 16;

export function encodeAcknowledgements(list: readonly Acknowledgement[]): Uint8Array {
  const frame = new Uint8Array(ROUTED_HEADER + list.length * ACKNOWLEDGEMENT_SIZE);
  const view = new DataView(frame.buffer);
  let at = ROUTED_HEADER;
  for (const entry of list) {
    writeMessageId(frame, at, entry.id);
    const flags =
      (entry.upward ? UPWARD : 0) |
      (entry.gap ? GAP : 0) |
      (entry.probed ? PROBED : 0) |
      (entry.done ? DONE : 0) |
      (entry.detached ? DETACHED : 0);
    view.setUint8(at + 16, flags);
    view.setUint16(at + 18, entry.generation);
    view.setUint32(at + 20, entry.window);
    writeOffset(view, at + 24, entry.offset);
    at += ACKNOWLEDGEMENT_SIZE;
  }
  return frame;
}

/** A trailing part that is no whole entry is ignored. */
export function decodeAcknowledgements(frame: Uint8Array, start: number, end: number, each: (entry: Acknowledgement) => void): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  for (let at = start + ROUTED_HEADER; at + ACKNOWLEDGEMENT_SIZE <= end; at += ACKNOWLEDGEMENT_SIZE) {
    const flags = view.getUint8(at + 16);
    each({
      id: readMessageId(frame, at),
      upward: (flags & UPWARD) !== 0,
      gap: (flags & GAP) !== 0,
      probed: (flags & PROBED) !== 0,
      done: (flags & DONE) !== 0,
      detached: (flags & DETACHED) !== 0,
      generation: view.getUint16(at + 18),
      window: view.getUint32(at + 20),
      offset: readOffset(view, at + 24),
    });
  }
}

/** Stream offsets are 64 bits on the wire; beyond 2^53 they are not exact, which no stream reaches. */
export function writeOffset(view: DataView, at: number, offset: number): void {
  view.setUint32(at, Math.floor(offset / 0x1_0000_0000));
  view.setUint32(at + 4, offset >>> 0);
}

export function readOffset(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}
