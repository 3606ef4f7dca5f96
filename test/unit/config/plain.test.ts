import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPlainFile, isPlainOptions } from "../../../src/config/plain.ts";
import { fileSchema, optionsSchema } from "../../../src/config/schema.ts";

const words = fc.constantFrom("a", "a.b:c", "", " ", "a b", "tcp://127.0.0.1:0", "info", "json", "auto", "x".repeat(129));
const holes: unknown[] = new Array(1);
const wrong = fc.oneof(
  words,
  fc.array(words, { maxLength: 3 }),
  fc.constantFrom<unknown>(null, true, 0, 1, {}, [], ["a", 1], holes, new Array(65).fill("a"), new Array(257).fill("a")),
);
/** Mostly right, where `right` is. */
const mostly = (...right: readonly unknown[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...right, undefined) }, { weight: 1, arbitrary: wrong });
const section = (keys: Readonly<Record<string, fc.Arbitrary<unknown>>>) => fc.record(keys, { requiredKeys: [] });

const identity = { id: mostly("a", "a.b:c"), groups: mostly([], ["g", "h"]), dataDir: mostly("d"), leaf: mostly(true, false) };
const log = section({ level: mostly("info", "silent"), format: mostly("json"), other: fc.constant(undefined) });
const tls = section({ cert: mostly("c"), key: mostly("k"), ca: mostly("a"), identity: mostly(undefined) });
const lists = { listen: mostly([], ["a:1"]), peers: mostly(["a:1", "b:2"]), extraPlugins: mostly([], ["x"]) };
const shared = { listen: lists.listen, peers: lists.peers, insecure: mostly(true), plugins: mostly("auto", {}, { echo: {} }), tls, log };
const without = { requiredKeys: [] };

describe("isPlainFile", () => {
  it("says yes to nothing that the schema refuses, or makes something else of", () => {
    let plain = 0;
    fc.assert(
      fc.property(fc.record({ ...shared, node: fc.record(identity, without) }, without), (raw) => {
        if (!isPlainFile(raw)) return;
        plain++;
        expect(fileSchema.safeParse(raw)).toEqual({ success: true, data: raw });
      }),
      { numRuns: 5_000 },
    );
    expect(plain).toBeGreaterThan(100);
  });

  it.each<[string, unknown]>([
    [
      "what is said most",
      { node: { id: "a", groups: ["g"], dataDir: "d", leaf: true }, listen: [], peers: ["b:1"], log: { level: "warn" } },
    ],
    ["nothing", {}],
    ["paths of certificates", { tls: { cert: "c", key: "k", ca: "a" }, insecure: false, plugins: "auto" }],
  ])("says yes to %s", (_, raw) => {
    expect(isPlainFile(raw)).toBe(true);
  });

  it("leaves what is no plain object to the schema", () => {
    const inherited: unknown = Object.create({ node: { id: "a" } });
    for (const raw of [inherited, [], null, "a", { node: inherited }, new Date()]) expect(isPlainFile(raw)).toBe(false);
  });
});

describe("isPlainOptions", () => {
  it("says yes to nothing that the schema refuses, or makes something else of", () => {
    let plain = 0;
    fc.assert(
      fc.property(fc.record({ ...shared, ...identity, extraPlugins: lists.extraPlugins }, without), (raw) => {
        if (!isPlainOptions(raw)) return;
        plain++;
        expect(optionsSchema.safeParse(raw)).toEqual({ success: true, data: raw });
      }),
      { numRuns: 5_000 },
    );
    expect(plain).toBeGreaterThan(100);
  });
});
