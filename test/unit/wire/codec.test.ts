import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { Packr } from "msgpackr";
import { isMeshError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { decode, encode, type Plain } from "../../../src/wire/codec.ts";

function codeOf(bytes: Uint8Array): string | undefined {
  try {
    decode(bytes);
    return undefined;
  } catch (error) {
    if (!isMeshError(error)) throw error;
    return error.code;
  }
}

/** Milliseconds of the fastest of a few tries, so that a pause of the machine does not count. */
function fastest(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 4 && best >= 50; attempt++) {
    const from = performance.now();
    run();
    best = Math.min(best, performance.now() - from);
  }
  return best;
}

const text = fc.string({ maxLength: 20 });
const key = fc.stringMatching(/^[a-z][A-Za-z0-9_-]{0,12}$/).filter((name) => name !== "constructor" && name !== "prototype");
const { value } = fc.letrec<{ value: Plain }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    // As in JSON there is one zero.
    fc.double({ noNaN: true }).map((number) => (number === 0 ? 0 : number)),
    text,
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(key, tie("value"), { maxKeys: 5 }),
  ),
}));

/** The same with maps as null-prototype objects, as `decode` makes them. */
function bare(given: Plain): Plain {
  if (Array.isArray(given)) return given.map(bare);
  if (typeof given !== "object" || given === null || given instanceof Uint8Array) return given;
  const object = Object.create(null) as { [name: string]: Plain };
  for (const [name, entry] of Object.entries(given)) object[name] = bare(entry);
  return object;
}

describe("encode and decode", () => {
  it("give back all that is data", () => {
    fc.assert(
      fc.property(value, (given) => {
        expect(decode(encode(given))).toEqual(bare(given));
      }),
    );
  });

  it("give back large numbers as numbers", () => {
    for (const given of [0, -1, 255, 65_536, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER, -(2 ** 40), 0.1, 1e300])
      expect(decode(encode(given))).toBe(given);
  });
});

describe("decode", () => {
  it("ends any bytes in data or a typed error, quickly", () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .array(
          fc.constantFrom(0x80, 0x81, 0x90, 0x91, 0x9f, 0xa1, 0xc0, 0xc1, 0xc4, 0xc7, 0xd4, 0xd9, 0xdc, 0xde, 0xdf, 0x00, 0x01, 0x72, 0x40),
          { maxLength: 60 },
        )
        .map((list) => Uint8Array.from(list)),
      fc.tuple(value, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([given, at, changed]) => {
        const bytes = Uint8Array.from(encode(given));
        bytes[at % bytes.length] = changed;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(garbage, (bytes) => {
        expect(fastest(() => expect([undefined, "PROTOCOL_ERROR", "TOO_LARGE"]).toContain(codeOf(bytes)))).toBeLessThan(50);
      }),
      { numRuns: 3_000 },
    );
  });

  it("refuses every truncation of what it takes whole", () => {
    const bytes = encode({ name: "x", list: [1, 2, { deep: "text" }], raw: Uint8Array.of(1, 2, 3), n: 1e9, f: 0.5 });
    for (let length = 0; length < bytes.length; length++) expect(codeOf(bytes.slice(0, length))).toBe("PROTOCOL_ERROR");
    expect(codeOf(Uint8Array.from([...bytes, 0]))).toBe("PROTOCOL_ERROR");
  });

  it("refuses 64 KiB and a byte before it looks at them", () => {
    expect(codeOf(new Uint8Array(LIMITS.decode + 1).fill(0x80))).toBe("TOO_LARGE");
  });

  it("takes no time over 64 KiB of empty or nested containers", () => {
    for (const filler of [0x80, 0x81, 0x90, 0x91, 0x9f, 0x8f, 0xc0]) {
      const bytes = new Uint8Array(LIMITS.decode).fill(filler);
      expect(fastest(() => expect(codeOf(bytes)).toBe("PROTOCOL_ERROR"))).toBeLessThan(50);
    }
  });

  it("refuses what is nested deeper than 16, and takes what is less deep", () => {
    const nested = (depth: number): Plain => (depth === 0 ? 1 : [nested(depth - 1)]);
    expect(codeOf(encode(nested(LIMITS.decodeDepth - 1)))).toBeUndefined();
    expect(codeOf(encode(nested(LIMITS.decodeDepth)))).toBe("PROTOCOL_ERROR");
  });

  it("refuses counts that promise more than there is, without taking memory for them", () => {
    for (const head of [
      [0xdd, 0xff, 0xff, 0xff, 0xff],
      [0xdf, 0xff, 0xff, 0xff, 0xff],
      [0xc6, 0xff, 0xff, 0xff, 0xff],
      [0xdb, 0x7f, 0xff, 0xff, 0xff],
      [0xdc, 0xff, 0xff],
    ]) {
      expect(codeOf(Uint8Array.from(head))).toBe("PROTOCOL_ERROR");
    }
  });

  it("refuses more than 1,024 keys, and takes as many", () => {
    const map = (count: number): Plain => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
    expect(codeOf(encode(map(LIMITS.decodeKeys)))).toBeUndefined();
    expect(codeOf(encode(map(LIMITS.decodeKeys + 1)))).toBe("PROTOCOL_ERROR");
  });

  it("refuses more than 16,384 elements in all, though no list has too many, and takes as many", () => {
    // The outer list counts too.
    const lists = (last: number): Plain => [
      ...Array.from({ length: 7 }, () => new Array<number>(2_048).fill(0)),
      new Array<number>(last).fill(0),
    ];
    expect(codeOf(encode(lists(2_040)))).toBeUndefined();
    expect(codeOf(encode(lists(2_041)))).toBe("PROTOCOL_ERROR");
  });

  it.each(["__proto__", "constructor", "prototype"])("refuses the key %s", (name) => {
    const bytes = new Packr({ useRecords: false }).pack(new Map<string, unknown>([[name, { polluted: true }]]));
    expect(codeOf(bytes)).toBe("PROTOCOL_ERROR");
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  it("refuses keys that are no names", () => {
    const pack = (name: unknown): Uint8Array => new Packr({ useRecords: false }).pack(new Map<unknown, unknown>([[name, 1]]));
    for (const name of [1, null, "a\nb", "x".repeat(257), true]) expect(codeOf(pack(name))).toBe("PROTOCOL_ERROR");
  });

  it("gives maps without a prototype", () => {
    const decoded = decode(encode({ a: { b: 1 } })) as { readonly a: object };
    expect(Object.getPrototypeOf(decoded)).toBeNull();
    expect(Object.getPrototypeOf(decoded.a)).toBeNull();
  });

  it("refuses types that are not data: dates, sets, big extension types", () => {
    const packr = new Packr({ useRecords: false, moreTypes: true });
    for (const given of [new Date(), new Set([1]), new TypeError("x"), /x/]) expect(codeOf(packr.pack(given))).toBe("PROTOCOL_ERROR");
  });

  it("is not changed for the next peer by what one peer sent", () => {
    const honest = encode({ node: "alpha", cost: 1 });
    const before = decode(honest);
    const records = new Packr({ useRecords: true });
    for (const bytes of [
      records.pack({ node: "evil", cost: 2 }),
      Uint8Array.of(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01),
      Uint8Array.of(0xd4, 0x72, 0x01, 0x90),
    ]) {
      codeOf(bytes);
      expect(decode(honest)).toEqual(before);
    }
  });

  it("copies bytes out of the frame", () => {
    const frame = Uint8Array.from(encode({ raw: Uint8Array.of(1, 2, 3) }));
    const decoded = decode(frame) as { readonly raw: Uint8Array };
    frame.fill(0);
    expect([...decoded.raw]).toEqual([1, 2, 3]);
  });
});
