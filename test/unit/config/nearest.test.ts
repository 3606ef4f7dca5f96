import { describe, expect, it } from "vitest";
import { nearest } from "../../../src/config/nearest.ts";

const KEYS = ["listen", "peers", "maxConcurrent", "dataDir", "log"];

describe("nearest", () => {
  it.each([
    ["listne", "listen"],
    ["Peers", "peers"],
    ["peer", "peers"],
    ["max_concurrent", "maxConcurrent"],
    ["max-concurrnet", "maxConcurrent"],
    ["datadir", "dataDir"],
    ["lgo", "log"],
  ])("takes %s for %s", (word, expected) => expect(nearest(word, KEYS)).toBe(expected));

  it.each(["", "banana", "xyz", "listeningsocket"])("knows nothing near %j", (word) => expect(nearest(word, KEYS)).toBeUndefined());

  it("prefers the nearer of two", () => expect(nearest("listens", ["lists", "listen"])).toBe("listen"));

  it("is quick with a long word", () => {
    expect(nearest("x".repeat(1_000_000), KEYS)).toBeUndefined();
  });
});
