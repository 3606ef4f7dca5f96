import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMeshError } from "../../../src/core/errors.ts";
import { formatMeshUrl, isLoopback, type MeshUrl, parseMeshUrl } from "../../../src/transports/url.ts";

describe("parseMeshUrl", () => {
  test.each([
    ["tcp://10.0.0.1:9000", "tcp", "10.0.0.1", 9000, "/", 1],
    ["10.0.0.1:9000", "tcp", "10.0.0.1", 9000, "/", 1],
    ["relay", "tcp", "relay", 8888, "/", 1],
    ["relay:", "tcp", "relay", 8888, "/", 1],
    ["  relay:1 ", "tcp", "relay", 1, "/", 1],
    ["localhost", "tcp", "localhost", 8888, "/", 1],
    ["tcp://LocalHost:8888/", "tcp", "localhost", 8888, "/", 1],
    ["TLS://Relay.Example:443", "tls", "relay.example", 443, "/", 1],
    ["rnp://a:1", "tcp", "a", 1, "/", 1],
    ["rnps://a:1", "tls", "a", 1, "/", 1],
    ["Receptor://a", "tcp", "a", 8888, "/", 1],
    ["ws://a:80", "ws", "a", 80, "/", 1],
    ["wss://a:443/mesh/x", "wss", "a", 443, "/mesh/x", 1],
    ["ws://a/path:80", "ws", "a", 8888, "/path:80", 1],
    ["ws://a/with%20space", "ws", "a", 8888, "/with%20space", 1],
    ["tcp://a:0080", "tcp", "a", 80, "/", 1],
    ["tcp://a:0", "tcp", "a", 0, "/", 1],
    ["tcp://a:65535", "tcp", "a", 65535, "/", 1],
    ["[::1]:8080", "tcp", "::1", 8080, "/", 1],
    ["[::80]", "tcp", "::80", 8888, "/", 1],
    ["tls://[FE80::1]", "tls", "fe80::1", 8888, "/", 1],
    ["tcp://a:1?cost=2", "tcp", "a", 1, "/", 2],
    ["a?cost=0.5", "tcp", "a", 8888, "/", 0.5],
    ["wss://a/p?cost=3", "wss", "a", 8888, "/p", 3],
    ["tcp://%6cocalhost:1", "tcp", "localhost", 1, "/", 1],
    ["tcp://münchen.example", "tcp", "xn--mnchen-3ya.example", 8888, "/", 1],
    ["memory://hub:1", "memory", "hub", 1, "/", 1],
  ])("%s", (text, scheme, host, port, path, cost) => {
    expect(parseMeshUrl(text)).toEqual({ scheme, host, port, path, cost });
  });

  test("takes a bare host as tls where told to, and leaves a scheme as it is", () => {
    expect(parseMeshUrl("a:1", "tls").scheme).toBe("tls");
    expect(parseMeshUrl("tcp://a:1", "tls").scheme).toBe("tcp");
  });

  test.each([
    ["", "no host"],
    ["tcp://", "no host"],
    [":8888", "no host"],
    ["tcp:///a", "no host"],
    ["tcp://?cost=2", "no host"],
    ["8888", "127.0.0.1:8888"],
    ["tcp://a:65536", "0 to 65535"],
    ["tcp://a:-1", "0 to 65535"],
    ["a:http", "0 to 65535"],
    ["a:99999999999", "0 to 65535"],
    ["a:1:2", "0 to 65535"],
    ["::1", "brackets"],
    ["fe80::1", "brackets"],
    ["2001:db8:0:0:0:0:0:1", "brackets"],
    ["[::1", "HOST:PORT"],
    ["[::1]x", "HOST:PORT"],
    ["[fe80::1%eth0]:1", "zone"],
    ["http://a", '"http" is none of'],
    ["constructor://a", "is none of"],
    ["tcp://me:secret@a", "user and password"],
    ["tcp://a#b", "# has no place"],
    ["tcp://a/path", "only ws and wss"],
    ["tcp://a\\b", "backslash"],
    ["tcp://a b", "white space"],
    ["tcp://a\nb", "white space"],
    ["tcp://a%20b", "HOST:PORT"],
    ["tcp://a?cots=2", 'no option "cots"'],
    ["tcp://a?cost=", "above 0"],
    ["tcp://a?cost=0", "above 0"],
    ["tcp://a?cost=-1", "above 0"],
    ["tcp://a?cost=NaN", "above 0"],
    ["tcp://a?cost=Infinity", "above 0"],
    ["tcp://a?cost=1000001", "above 0"],
    ["tcp://a?cost=1&cost=2", "more than one"],
  ])("refuses %j: %s", (text, why) => {
    expect(() => parseMeshUrl(text)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(why) }));
  });

  test("reads back what formatMeshUrl writes", () => {
    const host = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((text) => parseMeshUrl(`[${text}]`).host),
    );
    const url = fc.record<MeshUrl>({
      scheme: fc.constantFrom("tcp", "tls", "ws", "wss", "memory"),
      host: host.filter((text) => !/^\d+$/.test(text)),
      port: fc.nat(65_535),
      path: fc.constant("/"),
      cost: fc.integer({ min: 1, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(url, (given) => {
        expect(parseMeshUrl(formatMeshUrl(given))).toEqual(given);
      }),
    );
  });

  test("throws nothing but INVALID_ARGUMENT, whatever it is given", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom(...Array.from("tcp:/[]?#%@\\.0123456789abc= \n")) }),
    );
    fc.assert(
      fc.property(text, (given) => {
        try {
          expect(parseMeshUrl(formatMeshUrl(parseMeshUrl(given)))).toEqual(parseMeshUrl(given));
        } catch (error) {
          if (!isMeshError(error, "INVALID_ARGUMENT")) throw error;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("formatMeshUrl", () => {
  test("puts IPv6 in brackets, and leaves out a cost of 1 and an empty path", () => {
    const url: MeshUrl = { scheme: "ws", host: "::1", port: 1, path: "/", cost: 1 };
    expect(formatMeshUrl(url)).toBe("ws://[::1]:1");
    expect(formatMeshUrl({ ...url, path: "/x", cost: 2 })).toBe("ws://[::1]:1/x?cost=2");
  });
});

describe("isLoopback", () => {
  test.each(["localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", parseMeshUrl("[::ffff:127.1.2.3]").host])(
    "%s is",
    (host) => {
      expect(isLoopback(host)).toBe(true);
    },
  );

  test.each(["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example", "localhost.example", "::ffff:7e00:1", "::ffff:10.0.0.1"])(
    "%s is not",
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});
