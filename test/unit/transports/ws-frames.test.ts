import { describe, expect, test } from "vitest";
import { MAX_MESSAGE, WsFrames } from "../../../src/transports/ws-frames.ts";
import { seeded } from "../../sim/random.ts";

const BINARY = 0x82;
const BEGUN = 0x02;
const GOES_ON = 0x00;
const ENDS = 0x80;
const PING = 0x89;
const FIRST_BYTES = [BINARY, BINARY, BINARY, BEGUN, GOES_ON, ENDS, PING, 0x81, 0xc2];

interface FrameOptions {
  readonly first?: number;
  readonly masked?: boolean;
  readonly fill?: number;
}

function frame(length: number, { first = BINARY, masked = true, fill = 1 }: FrameOptions = {}): Buffer {
  const extended = length > 65_535 ? 8 : length > 125 ? 2 : 0;
  const head = Buffer.alloc(2 + extended + (masked ? 4 : 0), 0xaa);
  head[0] = first;
  head[1] = (masked ? 0x80 : 0) + (extended === 8 ? 127 : extended === 2 ? 126 : length);
  if (extended === 2) head.writeUInt16BE(length, 2);
  if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.alloc(length, fill)]);
}

/** Puts `parts` into one buffer, one after the other, as a socket that reads would. */
function fed(parts: readonly Uint8Array[], masked = true): { readonly shared: Buffer; readonly pieces: Piece[] } {
  const shared = Buffer.alloc(Math.max(1, ...parts.map((part) => part.length)));
  const pieces: Piece[] = [];
  const frames = new WsFrames(masked, (bytes) => pieces.push({ bytes, copy: Buffer.from(bytes), inPlace: bytes.buffer === shared.buffer }));
  for (const part of parts) {
    shared.set(part);
    frames.put(shared.subarray(0, part.length));
    shared.fill(0xee);
  }
  frames.end();
  return { shared, pieces };
}

interface Piece {
  readonly bytes: Buffer;
  readonly copy: Buffer;
  readonly inPlace: boolean;
}

function cut(bytes: Uint8Array, random: () => number, largest: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + Math.floor(random() ** 2 * largest);
    parts.push(bytes.subarray(at, end));
    at = end;
  }
  return parts;
}

/** Whether these are whole binary messages and nothing else. */
function isWhole(bytes: Buffer, masked: boolean): boolean {
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== BINARY || bytes.length - at < 2) return false;
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
    at += (short === 126 ? 4 : short === 127 ? 10 : 2) + (masked ? 4 : 0) + length;
  }
  return at === bytes.length;
}

const all = (pieces: readonly Piece[]): Buffer => Buffer.concat(pieces.map(({ copy }) => copy));

describe("WsFrames", () => {
  test("hands on whole messages where they are, all that there are at once", () => {
    const three = Buffer.concat([frame(10), frame(0), frame(70_000)]);
    const { pieces } = fed([three]);
    expect(pieces.map(({ copy, inPlace }) => [copy.length, inPlace])).toEqual([[three.length, true]]);
  });

  test("holds a message that has begun, and hands it on whole", () => {
    const message = frame(66_560);
    const parts = [message.subarray(0, 1), message.subarray(1, 9), message.subarray(9, 40_000), message.subarray(40_000)];
    const { pieces } = fed(parts);
    expect(pieces.map(({ copy, inPlace }) => [copy.equals(message), inPlace])).toEqual([[true, false]]);
  });

  test("holds in the same buffers again", () => {
    const message = frame(1000);
    const parts = Array.from({ length: 50 }, (_, at) => (at % 2 === 0 ? message.subarray(0, 500) : message.subarray(500)));
    const { pieces } = fed(parts);
    expect(pieces).toHaveLength(25);
    expect(new Set(pieces.map(({ bytes }) => bytes.buffer)).size).toBe(1);
  });

  test("does not wait for the rest of what `ws` puts together, nor of what is too long", () => {
    const parts = (bytes: Buffer): Uint8Array[] => [bytes.subarray(0, 20), bytes.subarray(20, 50)];
    for (const bytes of [frame(60, { first: BEGUN }), frame(60, { first: PING }), frame(60, { masked: false }), frame(140_000)]) {
      const { pieces } = fed(parts(bytes));
      expect(all(pieces).equals(bytes.subarray(0, 50))).toBe(true);
    }
    const endless = Buffer.alloc(50, 0xff);
    endless[0] = BINARY;
    expect(all(fed(parts(endless)).pieces).equals(endless)).toBe(true);
    const tooLong = frame(MAX_MESSAGE + 1);
    const { pieces } = fed([tooLong]);
    expect([all(pieces).equals(tooLong), pieces.some(({ inPlace }) => inPlace)]).toEqual([true, false]);
  });

  test.each([
    { masked: true, lengths: [0, 1, 125, 126, 400], parts: 12 },
    { masked: false, lengths: [0, 1, 125, 126, 400], parts: 12 },
    { masked: true, lengths: [0, 3_000, 65_535, 65_536, 69_000, 100_000, 150_000], parts: 200_000 },
    { masked: false, lengths: [0, 3_000, 65_535, 65_536, 69_000, 100_000, 150_000], parts: 200_000 },
  ])("hands on every byte in order, and overwrites only whole messages ($masked, parts to $parts)", ({ masked, lengths, parts }) => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = seeded(seed);
      const one = (list: readonly number[]): number => list[Math.floor(random() * list.length)] ?? 0;
      const made = Array.from({ length: 1 + Math.floor(random() * 12) }, (_, fill) =>
        frame(one(lengths), { first: one(FIRST_BYTES), masked: random() < 0.1 ? !masked : masked, fill }),
      );
      const stream = Buffer.concat(made);
      const { pieces } = fed(cut(stream, random, parts), masked);
      expect(all(pieces).equals(stream), `seed ${seed}`).toBe(true);
      for (const { bytes, copy } of pieces) {
        if (!isWhole(copy, masked)) expect(bytes.equals(copy), `seed ${seed}`).toBe(true);
      }
    }
  });
});
