import { expect, test } from "vitest";
import { isLoopbackName, parseHttpAddress } from "../../../src/telemetry/http-address.ts";

test.each([
  ["127.0.0.1:8889", "127.0.0.1", 8889],
  ["0.0.0.0:80", "0.0.0.0", 80],
  ["localhost:0", "localhost", 0],
  ["[::1]:65535", "::1", 65535],
  [":8889", "127.0.0.1", 8889],
  ["8889", "127.0.0.1", 8889],
])("parseHttpAddress reads %s", (text, host, port) => {
  expect(parseHttpAddress(text)).toEqual({ host, port });
});

test.each(["", "host", "host:", "host:65536", "host:x", "http://host:80", "::1:80", "[x]:80", "a b:80"])(
  "parseHttpAddress refuses %j",
  (text) => {
    expect(() => parseHttpAddress(text)).toThrow(/use HOST:PORT/);
  },
);

test("isLoopbackName knows this machine's names and no others", () => {
  for (const host of ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    expect(isLoopbackName(host), host).toBe(true);
  for (const host of ["", "0.0.0.0", "::", "127.0.0.1.example", "localhost.example", "10.0.0.1"])
    expect(isLoopbackName(host), host).toBe(false);
});
