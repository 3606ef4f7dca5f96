import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { isMeshError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { FRAME, LINK_HEADER, writeLinkHeader } from "../../../src/wire/frame.ts";
import { FrameParser } from "../../../src/wire/parser.ts";

function frame(kind: number, size: number): Uint8Array {
  const bytes = new Uint8Array(LINK_HEADER + size).fill(size & 0xff);
  writeLinkHeader(new DataView(bytes.buffer), 0, bytes.length, kind);
  return bytes;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Cuts `bytes` into pieces of the given sizes, over and over. */
function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.slice(at, at + size);
    at += size;
  }
}

interface Outcome {
  readonly frames: readonly Uint8Array[];
  readonly code: string | undefined;
}

function parse(chunks: Iterable<Uint8Array>, limit?: number): Outcome {
  const frames: Uint8Array[] = [];
  const parser = new FrameParser((bytes, view, start, end) => {
    if (view.byteOffset !== bytes.byteOffset || view.buffer !== bytes.buffer) throw new TypeError("the view is of other bytes");
    frames.push(bytes.slice(start, end));
  }, limit);
  try {
    for (const chunk of chunks) parser.push(chunk);
  } catch (error) {
    if (!isMeshError(error)) throw error;
    return { frames, code: error.code };
  }
  return { frames, code: undefined };
}

const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 });
const someFrames = fc.array(
  fc.tuple(fc.constantFrom<number>(1, 6, 9, 16, 19, 200), fc.integer({ min: 0, max: 600 })).map(([kind, size]) => frame(kind, size)),
  { maxLength: 12 },
);

describe("FrameParser", () => {
  it("gives the same frames however the bytes are cut", () => {
    fc.assert(
      fc.property(someFrames, sizes, (frames, cuts) => {
        const bytes = join(frames);
        for (const chunks of [[bytes], cut(bytes, [1]), cut(bytes, cuts)]) expect(parse(chunks)).toEqual({ frames, code: undefined });
      }),
    );
  });

  it("ends any bytes in frames or one typed error, the same whole and byte by byte", () => {
    const garbage = fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), someFrames.map(join), fc.constant(new Uint8Array(3))), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(garbage, sizes, (parts, cuts) => {
        const bytes = join(parts);
        const whole = parse([bytes]);
        expect([undefined, "TOO_LARGE", "PROTOCOL_ERROR"]).toContain(whole.code);
        expect(parse(cut(bytes, [1]))).toEqual(whole);
        expect(parse(cut(bytes, cuts))).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  it("hands a whole frame on in place, without a copy", () => {
    const chunk = join([frame(9, 5), frame(9, 7)]);
    const seen: [Uint8Array, number, number][] = [];
    new FrameParser((bytes, _view, start, end) => seen.push([bytes, start, end])).push(chunk);
    expect(seen.map(([bytes]) => bytes === chunk)).toEqual([true, true]);
    expect(seen.map(([, start, end]) => [start, end])).toEqual([
      [0, 13],
      [13, 28],
    ]);
  });

  it("reads a chunk that is a part of a larger buffer", () => {
    const buffer = new Uint8Array(100).fill(0xee);
    const bytes = frame(9, 20);
    buffer.set(bytes, 30);
    expect(parse([buffer.subarray(30, 30 + bytes.length)]).frames).toEqual([bytes]);
  });

  it("does not need the chunk after the call", () => {
    const bytes = frame(9, 50);
    const first = bytes.slice(0, 20);
    const frames: Uint8Array[] = [];
    const parser = new FrameParser((all, _view, start, end) => frames.push(all.slice(start, end)));
    parser.push(first);
    first.fill(0);
    parser.push(bytes.slice(20));
    expect(frames).toEqual([bytes]);
  });

  it.each([
    ["a control frame", FRAME.digest, LIMITS.controlFrame],
    ["a chunk", FRAME.data, LIMITS.frame],
    ["a message", FRAME.message, LIMITS.frame],
    ["an unknown kind", 222, LIMITS.controlFrame],
  ])("takes %s at its limit, and refuses it one byte over, by its header alone", (_name, kind, limit) => {
    expect(parse(cut(frame(kind, limit - LINK_HEADER), [1_000])).frames).toHaveLength(1);
    const over = new Uint8Array(LINK_HEADER);
    writeLinkHeader(new DataView(over.buffer), 0, limit + 1, kind);
    expect(parse([over]).code).toBe("TOO_LARGE");
    expect(parse(cut(over, [1])).code).toBe("TOO_LARGE");
  });

  it("refuses a length below the header", () => {
    for (let length = 0; length < LINK_HEADER; length++) {
      const bytes = new Uint8Array(LINK_HEADER);
      new DataView(bytes.buffer).setUint32(0, length);
      expect(parse([bytes]).code).toBe("PROTOCOL_ERROR");
    }
  });

  it("holds to its first limit until it is lifted, also within one chunk", () => {
    const frames: number[] = [];
    const parser = new FrameParser((_bytes, _view, start, end) => {
      frames.push(end - start);
      if (frames.length === 1) parser.lift();
    }, 100);
    parser.push(join([frame(9, 92), frame(9, 5_000)]));
    expect(frames).toEqual([100, 5_008]);
    expect(parse([frame(9, 93)], 100).code).toBe("TOO_LARGE");
  });

  it.each([
    ["HTTP/1.1 400 Bad Request\r\n", 'no node of a mesh: what it says begins with "HTTP/"'],
    ["SSH-2.0-OpenSSH_9.2\r\n", 'no node of a mesh: what it says begins with "SSH-2"'],
    ["\u007f\u0000\u0001\u0002\u0003\u0004\u0005\u0006", "a frame of 2130706690 bytes, kind 3, is over its limit of 100"],
  ])("says what is wrong where a stranger begins with %j", (text, message) => {
    const push = (limit?: number) => () => new FrameParser(() => undefined, limit).push(Buffer.from(text));
    expect(push(100)).toThrow(message);
    expect(push()).toThrow("is over its limit");
  });

  it("gives its memory back when it is trimmed, and nothing of a frame that is not whole", () => {
    const buffers: number[] = [];
    const parser = new FrameParser((bytes, _view, start, end) => {
      expect(end - start).toBe(108);
      buffers.push(bytes.buffer.byteLength);
    });
    const large = new FrameParser((bytes) => buffers.push(bytes.buffer.byteLength));
    for (const chunk of cut(frame(FRAME.message, 9_000), [5_000])) large.push(chunk);
    for (const chunk of cut(frame(9, 100), [50])) large.push(chunk);
    large.trim();
    for (const chunk of cut(frame(9, 100), [50])) large.push(chunk);
    for (const chunk of cut(frame(9, 100), [50])) {
      parser.push(chunk);
      parser.trim();
    }
    expect(buffers).toEqual([10_000, 10_000, 512, 512]);
  });

  it("hands on nothing after stop, neither of this chunk nor of the next", () => {
    let count = 0;
    const parser = new FrameParser(() => {
      count++;
      parser.stop();
    });
    const chunk = join([frame(9, 1), frame(9, 1)]);
    parser.push(chunk.slice(0, 4));
    parser.push(chunk.slice(4));
    parser.push(chunk);
    expect(count).toBe(1);
  });
});
