import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BOUNDS, countBytes, type Frame, frameHead, FrameReader, KIND, readCount } from "../../../../src/plugin/isolated/frames.ts";

function frame(work: number, data: Uint8Array): Uint8Array {
  return Buffer.concat([frameHead(KIND.chunk, work, data.length), data]);
}

function readAll(reader: FrameReader, pieces: readonly Uint8Array[]): Frame[] {
  return pieces.flatMap((piece) => [...reader.read(piece)].map((one) => ({ ...one, data: new Uint8Array(one.data) })));
}

describe("FrameReader", () => {
  it("gives the frames that were written, however the bytes are cut", () => {
    const frames = fc.array(fc.tuple(fc.nat(2 ** 32 - 1), fc.uint8Array({ maxLength: 300 })), { maxLength: 20 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 500 })), (given, cuts) => {
        const all = Buffer.concat(given.map(([work, data]) => frame(work, data)));
        const pieces: Uint8Array[] = [];
        let at = 0;
        for (const cut of [...cuts, all.length]) {
          pieces.push(all.subarray(at, at + cut));
          at += cut;
        }
        const reader = new FrameReader(BOUNDS.frame);
        expect(readAll(reader, pieces)).toEqual(given.map(([work, data]) => ({ kind: KIND.chunk, work, data })));
        expect(reader.kept).toBe(0);
      }),
    );
  });

  it("refuses a frame beyond its limit by its length alone, and keeps nothing for it", () => {
    const reader = new FrameReader(1_000);
    expect(() => [...reader.read(frameHead(KIND.chunk, 1, 1_001).subarray(0, 4))]).toThrow(expect.objectContaining({ code: "TOO_LARGE" }));
    expect(reader.kept).toBe(0);
    expect([...new FrameReader(1_000).read(frame(1, new Uint8Array(1_000)))]).toHaveLength(1);
  });

  it("refuses a frame that is too short for its own head", () => {
    for (const rest of [0, 1, 4]) {
      expect(() => [...new FrameReader(1_000).read(Uint8Array.of(rest, 0, 0, 0, 9, 9, 9, 9))]).toThrow(
        expect.objectContaining({ code: "PROTOCOL_ERROR" }),
      );
    }
  });

  it("keeps no more than one frame, whatever comes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 4_000 }), { maxLength: 50 }), (pieces) => {
        const reader = new FrameReader(2_000);
        try {
          for (const piece of pieces) {
            for (const { data } of reader.read(piece)) expect(data.length).toBeLessThanOrEqual(2_000);
            expect(reader.kept).toBeLessThanOrEqual(2_000 + 9);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/TOO_LARGE|PROTOCOL_ERROR/) });
        }
      }),
    );
  });

  it("keeps a copy, and not what a piece was read with", () => {
    const large = Buffer.alloc(100_000);
    const whole = frame(1, Uint8Array.of(1, 2, 3));
    large.set(whole.subarray(0, 10), 0);
    const reader = new FrameReader(1_000);
    expect([...reader.read(large.subarray(0, 10))]).toEqual([]);
    large.fill(9);
    expect(readAll(reader, [whole.subarray(10)])).toEqual([{ kind: KIND.chunk, work: 1, data: Uint8Array.of(1, 2, 3) }]);
  });
});

describe("readCount", () => {
  it("reads what countBytes wrote, and nothing of another length", () => {
    expect(readCount(countBytes(2 ** 32 - 1))).toBe(2 ** 32 - 1);
    for (const length of [0, 3, 5])
      expect(() => readCount(new Uint8Array(length))).toThrow(expect.objectContaining({ code: "PROTOCOL_ERROR" }));
  });
});
