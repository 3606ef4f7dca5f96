import { describe, expect, it } from "vitest";
import { parseAllowRule } from "../src/allow.ts";
import { parseOptions } from "../src/options.ts";

const allows = (rule: string, url: string): boolean => parseAllowRule(rule)(new URL(url));

describe("parseAllowRule", () => {
  it.each([
    ["https://api.example.com/*", "https://api.example.com/v1/things?q=1"],
    ["https://api.example.com", "https://api.example.com/anything"],
    ["https://api.example.com/v1/*", "https://api.example.com/v1/"],
    ["https://*.example.com/*", "https://a.b.example.com/"],
    ["https://API.example.com/*", "https://api.EXAMPLE.com/"],
    ["http://localhost:*/*", "http://localhost:8080/x"],
    ["*://example.com/*", "http://example.com/"],
    ["*://example.com/*", "https://example.com/"],
    ["http://[::1]:80/*", "http://[::1]/"],
    ["https://example.com:8443/*", "https://example.com:8443/"],
  ])("%s allows %s", (rule, url) => expect(allows(rule, url)).toBe(true));

  it.each([
    ["https://api.example.com/*", "http://api.example.com/"],
    ["https://api.example.com/*", "https://api.example.com:8443/"],
    ["https://api.example.com/*", "https://api.example.com.evil.com/"],
    ["https://api.example.com/*", "https://evil.com/https://api.example.com/"],
    ["https://api.example.com/*", "https://apixexample.com/"],
    ["https://*.example.com/*", "https://example.com/"],
    ["https://*.example.com/*", "https://evil.com/.example.com/"],
    ["https://*.example.com/*", "https://evil.com?.example.com/"],
    ["https://api.example.com/v1/*", "https://api.example.com/v2/"],
    ["https://api.example.com/v1/*", "https://api.example.com/v1/../v2/"],
    ["https://api.example.com/v1/*", "https://api.example.com/v1/%2e%2e/v2/"],
    ["https://api.example.com/exact", "https://api.example.com/exact?more"],
    ["https://*/*", "ftp://example.com/"],
  ])("%s does not allow %s", (rule, url) => expect(allows(rule, url)).toBe(false));

  it.each(["example.com", "*", "ftp://example.com/", "https://", "https://user@example.com/", "https://a b/"])(
    "refuses the rule %s",
    (rule) => {
      expect(() => parseAllowRule(rule)).toThrow("no rule for URLs");
    },
  );
});

describe("parseOptions", () => {
  it("allows nothing by default", () => {
    expect(parseOptions(undefined)).toEqual({ allow: [], rules: [], maxBytes: 1024 ** 3, timeout: 300_000, maxRedirects: 10 });
  });

  it("reads sizes and times", () => {
    expect(parseOptions({ maxBytes: "10MiB", timeout: "30s", maxRedirects: 0 })).toMatchObject({
      maxBytes: 10 * 1024 ** 2,
      timeout: 30_000,
      maxRedirects: 0,
    });
  });

  it.each([
    [[], "options"],
    [{ alow: [] }, "alow"],
    [{ allow: "https://x/" }, "allow"],
    [{ allow: ["x"] }, "allow"],
    [{ maxBytes: "many" }, "maxBytes"],
    [{ timeout: -1 }, "timeout"],
  ])("refuses %j and names what is wrong", (options, name) => {
    expect(() => parseOptions(options)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(name) }),
    );
  });
});
