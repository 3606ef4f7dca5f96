import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { LIMITS } from "../../../src/core/limits.ts";
import {
  FIRST_ROUTED_KIND,
  FRAME,
  frameLimit,
  LINK_HEADER,
  OFFSET,
  ROUTED_HEADER,
  readRoutedHeader,
  writeLinkHeader,
  writeRoutedHeader,
} from "../../../src/wire/frame.ts";

const byte = fc.integer({ min: 0, max: 0xff });
const word = fc.integer({ min: 0, max: 0xffff_ffff });
const header = fc.record({
  kind: byte,
  flags: byte,
  hops: byte,
  destinationHigh: word,
  destinationLow: word,
  sourceHigh: word,
  sourceLow: word,
  ttl: word,
  auxiliary: word,
});

describe("writeRoutedHeader and readRoutedHeader", () => {
  it("give back every header, at any place, and touch nothing around it", () => {
    fc.assert(
      fc.property(header, fc.nat(40), (given, at) => {
        const bytes = new Uint8Array(at + ROUTED_HEADER + 8).fill(0xa5);
        const view = new DataView(bytes.buffer);
        writeRoutedHeader(view, at, 1_234, given);
        expect(readRoutedHeader(view, at)).toEqual(given);
        expect(view.getUint32(at + OFFSET.length)).toBe(1_234);
        expect(bytes.subarray(0, at).every((each) => each === 0xa5)).toBe(true);
        expect(bytes.subarray(at + OFFSET.id).every((each) => each === 0xa5)).toBe(true);
      }),
    );
  });

  it("lay the fields where a relay patches them", () => {
    const bytes = new Uint8Array(ROUTED_HEADER);
    const view = new DataView(bytes.buffer);
    writeRoutedHeader(view, 0, 300, {
      kind: FRAME.message,
      flags: 3,
      hops: 31,
      destinationHigh: 0xdddd_dddd,
      destinationLow: 0xdddd_0001,
      sourceHigh: 0x5555_5555,
      sourceLow: 0x5555_0001,
      ttl: 0xfffe_0001,
      auxiliary: 77,
    });
    expect(bytes[OFFSET.kind]).toBe(FRAME.message);
    expect(bytes[OFFSET.flags]).toBe(3);
    expect(bytes[OFFSET.hops]).toBe(31);
    expect(view.getUint32(OFFSET.destination)).toBe(0xdddd_dddd);
    expect(view.getUint32(OFFSET.source)).toBe(0x5555_5555);
    expect(view.getUint32(OFFSET.ttl)).toBe(0xfffe_0001);
    expect(view.getUint32(OFFSET.auxiliary)).toBe(77);
  });
});

describe("writeLinkHeader", () => {
  it("writes length, kind and flags, big-endian, and nothing else", () => {
    const bytes = new Uint8Array(LINK_HEADER + 2).fill(0xff);
    writeLinkHeader(new DataView(bytes.buffer), 1, 0x0102_0304, 0xfe, 0x81);
    expect([...bytes]).toEqual([0xff, 1, 2, 3, 4, 0xfe, 0x81, 0, 0, 0xff]);
  });
});

describe("FRAME and frameLimit", () => {
  it("keeps link kinds below the first routed kind, and no number twice", () => {
    const link = ["hello", "keepalive", "goodbye", "digest", "pull", "advertisements", "denied"];
    for (const [name, kind] of Object.entries(FRAME)) expect(kind < FIRST_ROUTED_KIND).toBe(link.includes(name));
    expect(new Set(Object.values(FRAME)).size).toBe(Object.keys(FRAME).length);
  });

  it("allows a chunk or an inline payload with header and metadata, and 64 KiB for the rest", () => {
    expect(frameLimit(FRAME.data)).toBeGreaterThanOrEqual(LIMITS.chunk + ROUTED_HEADER);
    expect(frameLimit(FRAME.message)).toBeGreaterThanOrEqual(LIMITS.inlinePayload + LIMITS.metadata + ROUTED_HEADER);
    expect(frameLimit(FRAME.advertisements)).toBe(65_536);
    expect(frameLimit(200)).toBe(65_536);
  });
});
