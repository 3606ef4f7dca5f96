import { LIMITS } from "../core/limits.ts";

/** Protocol version, major and minor. Minor versions add frame kinds and fields; majors do not talk to each other. */
export const PROTOCOL = { major: 1, minor: 0 } as const;

/**
 * What a frame is. Below 16: between the two ends of a link. From 16 on: routed, with the header that a relay reads; a relay
 * forwards kinds that it does not know, a destination skips them.
 */
export const FRAME = {
  hello: 1,
  keepalive: 2,
  goodbye: 3,
  digest: 4,
  pull: 5,
  advertisements: 6,
  denied: 7,

  message: 16,
  receipt: 17,
  notice: 18,
  data: 19,
  ack: 20,
  reset: 21,
  echo: 22,
  echoReply: 23,
  attach: 24,
  confirm: 25,
  custody: 26,
  unopened: 27,
} as const;

export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

export const FIRST_ROUTED_KIND = 16;

/** Every frame: u32 length of the whole frame, u8 kind, u8 flags, u8 hops, u8 reserved. Big-endian. */
export const LINK_HEADER = 8;

/**
 * A routed frame goes on: u64 destination hash, u64 source hash, u32 time to live (ms left), u32 auxiliary (by kind),
 * 16 bytes message id.
 */
export const ROUTED_HEADER = 48;

export const OFFSET = {
  length: 0,
  kind: 4,
  flags: 5,
  hops: 6,
  destination: 8,
  source: 16,
  ttl: 24,
  auxiliary: 28,
  id: 32,
} as const;

/** By kind; see docs/protocol.md. */
export const FLAG = {
  /** keepalive: the answer to one, with the same body. */
  reply: 0x01,

  /** message: another copy may have been sent before this one. custody: other copies were, and the message is not left to the node. */
  resent: 0x01,
  /** message: the destination journals it before it answers; the origin keeps it on disk. */
  durable: 0x02,
  /** message, receipt: accepted, but to begin only when the origin confirms. */
  hold: 0x04,
  /** message: the payload follows as a stream. */
  streamed: 0x08,
  /** message: its origin has left it to the node where it waits, and sends no other copy. */
  custody: 0x10,

  /** data: away from the origin of the message, which is where the payload goes; else back to it. */
  upward: 0x01,
  /** data: the stream ends with this chunk. */
  fin: 0x02,
  /** data: also the receipt of the message. */
  accepted: 0x04,
  /** data: the receiver should acknowledge at once. custody: it should say whether it has the message. */
  probe: 0x08,

  /** Every routed kind: the body is sealed, for its destination alone. */
  sealed: 0x80,
} as const;

/** The largest frame of a kind, header included. A longer one is refused before it is buffered. */
export function frameLimit(kind: number): number {
  return kind === FRAME.message || kind === FRAME.data ? LIMITS.frame : LIMITS.controlFrame;
}

export interface RoutedHeader {
  kind: number;
  flags: number;
  hops: number;
  destinationHigh: number;
  destinationLow: number;
  sourceHigh: number;
  sourceLow: number;
  ttl: number;
  auxiliary: number;
}

/** The unsigned 32 bits at `at`. On the data path a view made for this would cost more than what it reads. */
export function word(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  );
}

/** Writes the unsigned 32 bits `value` at `at`: for one number, a view would cost more than the writing. */
export function putWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes a link header at `at`. */
export function writeLinkHeader(view: DataView, at: number, length: number, kind: number, flags = 0): void {
  view.setUint32(at, length);
  view.setUint32(at + 4, ((kind << 24) | (flags << 16)) >>> 0);
}

/** Writes a routed header without its message id. */
export function writeRoutedHeader(view: DataView, at: number, length: number, header: Readonly<RoutedHeader>): void {
  view.setUint32(at, length);
  view.setUint32(at + 4, ((header.kind << 24) | (header.flags << 16) | (header.hops << 8)) >>> 0);
  view.setUint32(at + 8, header.destinationHigh);
  view.setUint32(at + 12, header.destinationLow);
  view.setUint32(at + 16, header.sourceHigh);
  view.setUint32(at + 20, header.sourceLow);
  view.setUint32(at + 24, header.ttl);
  view.setUint32(at + 28, header.auxiliary);
}

export function readRoutedHeader(view: DataView, at: number): RoutedHeader {
  return {
    kind: view.getUint8(at + OFFSET.kind),
    flags: view.getUint8(at + OFFSET.flags),
    hops: view.getUint8(at + OFFSET.hops),
    destinationHigh: view.getUint32(at + 8),
    destinationLow: view.getUint32(at + 12),
    sourceHigh: view.getUint32(at + 16),
    sourceLow: view.getUint32(at + 20),
    ttl: view.getUint32(at + OFFSET.ttl),
    auxiliary: view.getUint32(at + OFFSET.auxiliary),
  };
}
