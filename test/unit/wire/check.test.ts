import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { isMeshError, MeshError } from "../../../src/core/errors.ts";
import { Fields } from "../../../src/wire/check.ts";
import { decode, encode, type Plain } from "../../../src/wire/codec.ts";

const fields = (map: { readonly [key: string]: Plain }): Fields => new Fields(decode(encode(map)), "a thing");

function refuses(read: () => unknown): void {
  expect(read).toThrow(MeshError);
  expect(read).toThrow(/^a thing /);
}

describe("Fields", () => {
  it("takes a map only", () => {
    for (const value of [null, undefined, 1, "x", true, [], Uint8Array.of(1)] as Plain[]) {
      expect(() => new Fields(value, "a thing")).toThrow("a thing is no map");
    }
  });

  it("reads numbers within their range", () => {
    const given = fields({ n: 5, half: 0.5, text: "5", nan: Number.NaN, infinite: Number.POSITIVE_INFINITY });
    expect(given.number("n", 5, 5)).toBe(5);
    expect(given.integer("n")).toBe(5);
    refuses(() => given.number("n", 6));
    refuses(() => given.number("n", 0, 4));
    refuses(() => given.integer("half"));
    for (const key of ["text", "nan", "infinite", "missing"]) refuses(() => given.number(key));
  });

  it("reads text up to its limit", () => {
    const given = fields({ s: "abc", n: 1 });
    expect(given.string("s", 3)).toBe("abc");
    refuses(() => given.string("s", 2));
    refuses(() => given.string("n"));
    refuses(() => given.string("missing"));
  });

  it("reads booleans, and false where there is none", () => {
    const given = fields({ yes: true, no: false, n: 1 });
    expect([given.boolean("yes"), given.boolean("no"), given.boolean("missing")]).toEqual([true, false, false]);
    refuses(() => given.boolean("n"));
  });

  it("reads node ids that are node ids", () => {
    const given = fields({ good: "a.b:c-d_1", space: "a b", empty: "", long: "x".repeat(129) });
    expect(given.nodeId("good")).toBe("a.b:c-d_1");
    for (const key of ["space", "empty", "long", "missing"]) refuses(() => given.nodeId(key));
  });

  it("reads bytes up to their limit", () => {
    const given = fields({ raw: Uint8Array.of(1, 2, 3), s: "abc" });
    expect([...given.bytes("raw", 3)]).toEqual([1, 2, 3]);
    refuses(() => given.bytes("raw", 2));
    refuses(() => given.bytes("s", 10));
  });

  it("reads lists up to their limit, and none as empty", () => {
    const given = fields({ list: ["a", "b"], mixed: ["a", 1], n: 1 });
    const valid = (text: string): boolean => text.length === 1;
    expect(given.strings("list", 2, valid)).toEqual(["a", "b"]);
    expect(given.strings("missing", 2, valid)).toEqual([]);
    refuses(() => given.strings("list", 1, valid));
    refuses(() => given.strings("list", 2, () => false));
    refuses(() => given.strings("mixed", 2, valid));
    refuses(() => given.list("n", 2, (item) => item));
  });

  it("knows which keys are there; null is not", () => {
    const given = fields({ a: 1, b: null });
    expect([given.has("a"), given.has("b"), given.has("toString")]).toEqual([true, false, false]);
    expect(given.keys()).toEqual(["a", "b"]);
    expect(given.raw("a")).toBe(1);
  });

  it("answers with a value of its type or PROTOCOL_ERROR, whatever is there", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 2 }), (value) => {
        const given = new Fields({ x: value as Plain }, "a thing");
        const reads = [
          () => given.number("x"),
          () => given.integer("x"),
          () => given.string("x"),
          () => given.boolean("x"),
          () => given.nodeId("x"),
          () => given.bytes("x", 9),
          () => given.strings("x", 9, () => true),
        ];
        for (const read of reads) {
          try {
            read();
          } catch (error) {
            expect(isMeshError(error, "PROTOCOL_ERROR")).toBe(true);
          }
        }
      }),
    );
  });
});
