import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { parseAltNames } from "../../../src/identity/alt-names.ts";
import {
  formatNodeUri,
  isCertifiable,
  isMeshId,
  isShortLivedId,
  mayCallItself,
  parseNodeUri,
  shortLivedId,
} from "../../../src/identity/names.ts";
import { fits } from "../../../src/identity/patterns.ts";
import { parseIdentityRule } from "../../../src/identity/rule.ts";

const MESH = "0123456789abcdef";
const alpha = nodeId("alpha");

function meshId(text: string) {
  if (isMeshId(text)) return text;
  throw new TypeError(text);
}

describe("parseNodeUri", () => {
  it("reads what formatNodeUri wrote, for every node id", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/), (id) => {
        expect(parseNodeUri(formatNodeUri(meshId(MESH), nodeId(id)))).toEqual({ mesh: MESH, node: id });
      }),
    );
  });

  it.each([
    "mesh://0123456789abcdef/node/",
    "mesh://0123456789abcde/node/a",
    "mesh://0123456789ABCDEF/node/a",
    "mesh://0123456789abcdef/node/a/b",
    "mesh://0123456789abcdef/node/a?b",
    "mesh://0123456789abcdef/node/a\nb",
    " mesh://0123456789abcdef/node/a",
    "https://0123456789abcdef/node/a",
  ])("takes %j for no node", (uri) => {
    expect(parseNodeUri(uri)).toBeUndefined();
  });
});

describe("mayCallItself", () => {
  it("is true of the name in the certificate alone", () => {
    expect(mayCallItself(alpha, alpha, false)).toBe(true);
    expect(mayCallItself(alpha, nodeId("beta"), false)).toBe(false);
    expect(mayCallItself(alpha, nodeId("beta"), true)).toBe(false);
  });

  it("is true of that name with a command's ending, for a short-lived node alone", () => {
    const command = nodeId(shortLivedId(alpha, "0123456789ab"));
    expect(mayCallItself(alpha, command, true)).toBe(true);
    expect(mayCallItself(alpha, command, false)).toBe(false);
    expect(mayCallItself(nodeId("alph"), command, true)).toBe(false);
    expect(mayCallItself(alpha, nodeId("beta:cli-0123456789ab"), true)).toBe(false);
    expect(mayCallItself(alpha, nodeId("alpha:other-0123456"), true)).toBe(false);
  });
});

it("isCertifiable refuses ids that are a command's, or too long for one", () => {
  expect(isCertifiable(alpha)).toBe(true);
  expect(isCertifiable(nodeId("alpha:cli-0123456789ab"))).toBe(false);
  const longest = nodeId("x".repeat(111));
  expect(isCertifiable(longest)).toBe(true);
  expect(isCertifiable(nodeId("x".repeat(112)))).toBe(false);
  expect(nodeId(shortLivedId(longest, "0123456789ab"))).toHaveLength(128);
});

it("isShortLivedId knows commands with and without a certificate", () => {
  expect(["cli-0123456789ab", "alpha:cli-0123456789ab", "alpha", "alpha-cli-1"].map(isShortLivedId)).toEqual([true, true, false, false]);
});

describe("parseAltNames", () => {
  it("reads names, and those in quotes whole", () => {
    expect(parseAltNames('URI:mesh://a/node/b:c, DNS:x.example, IP Address:::1, URI:"a, URI:b"')).toEqual([
      { type: "URI", value: "mesh://a/node/b:c" },
      { type: "DNS", value: "x.example" },
      { type: "IP Address", value: "::1" },
      { type: "URI", value: "a, URI:b" },
    ]);
    expect(parseAltNames(undefined)).toEqual([]);
  });

  it.each(['URI:"a', "URI", 'URI:a"b', "URI:a,DNS:b", 'URI:"a"b'])("refuses %j, rather than to skip a part", (text) => {
    expect(() => parseAltNames(text)).toThrow(expect.objectContaining({ code: "CERTIFICATE_INVALID" }));
  });
});

describe("fits", () => {
  it.each([
    ["edge-1", "edge-1", true],
    ["edge-1", "edge-12", false],
    ["*", "", true],
    ["edge-*", "edge-", true],
    ["edge-*", "edge-7", true],
    ["edge-*", "hedge-7", false],
    ["*-eu-*", "edge-eu-1", true],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["*ab*b", "ab", false],
    ["*ab*b", "abb", true],
    ["edge.1", "edge-1", false],
  ])("%s for %s: %s", (pattern, name, expected) => {
    expect(fits([pattern], name)).toBe(expected);
  });

  it("says the same as a regular expression, and is not slow where that would be", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ab*]{1,12}$/), fc.stringMatching(/^[ab]{0,16}$/), (pattern, name) => {
        expect(fits([pattern], name)).toBe(new RegExp(`^${pattern.replaceAll("*", "[^]*")}$`).test(name));
      }),
    );
    const started = performance.now();
    fits(["*a".repeat(60)], `${"a".repeat(59)}b`.repeat(2));
    expect(performance.now() - started).toBeLessThan(50);
  });

  it("is false where there is no pattern", () => {
    expect(fits([], "a")).toBe(false);
  });
});

describe("parseIdentityRule", () => {
  it("reads each form", () => {
    expect(parseIdentityRule("mesh")).toEqual({ type: "mesh" });
    expect(parseIdentityRule("none")).toEqual({ type: "none" });
    expect(parseIdentityRule("cn:{node}")).toEqual({ type: "cn", before: "", after: "" });
    expect(parseIdentityRule("uri:spiffe://corp/{node}/x")).toEqual({ type: "uri", before: "spiffe://corp/", after: "/x" });
  });

  it.each(["", "cn", "cn:", "cn:node", "cn:{node}{node}", "ou:{node}", "MESH"])("refuses %j with CONFIG_INVALID", (text) => {
    expect(() => parseIdentityRule(text)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });
});
