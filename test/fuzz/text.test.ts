import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { checkConfigFile, loadConfig } from "../../src/config/load.ts";
import { resolveOptions } from "../../src/config/options.ts";
import { isMeshError } from "../../src/core/errors.ts";
import { isGroupName, isNodeId } from "../../src/core/ids.ts";
import { parseTarget } from "../../src/node/sending/groups.ts";
import { checkDirective } from "../../src/node/sending/sender.ts";
import { formatMeshUrl, parseMeshUrl } from "../../src/transports/url.ts";
import { onlyTyped } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "receptor-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ARGUMENT = ["INVALID_ARGUMENT"] as const;
/** Text that is nearly right is where parsers go wrong. */
const pieces = (...some: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.array(fc.oneof(fc.constantFrom(...some), fc.string({ maxLength: 3 })), { maxLength: 12 }).map((list) => list.join("")),
  );

describe("parseMeshUrl", () => {
  it("throws INVALID_ARGUMENT alone, and what it takes it takes again as it wrote it", () => {
    const text = pieces(
      "tcp://",
      "wss://",
      "rnp://",
      "[::1]",
      "[",
      "]",
      "127.0.0.1",
      "localhost",
      ":",
      "8888",
      "99999",
      "/",
      "?cost=",
      "2",
      "-1",
      "#",
      "@",
      "%25",
      "\\",
      "\u0000",
    );
    fc.assert(
      fc.property(text, fc.constantFrom("tcp", "tls"), (input, bare) => {
        onlyTyped(ARGUMENT, () => {
          const url = parseMeshUrl(input, bare);
          expect(parseMeshUrl(formatMeshUrl(url))).toEqual(url);
        });
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("parseTarget", () => {
  it("throws INVALID_ARGUMENT alone, and gives valid names alone", () => {
    fc.assert(
      fc.property(pieces("any:", "all:", "node", ":", "web", ".", "__proto__", "\n"), (input) => {
        onlyTyped(ARGUMENT, () => {
          const target = parseTarget(input);
          expect("group" in target ? isGroupName(target.group) : isNodeId(target.node)).toBe(true);
        });
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("checkDirective", () => {
  it("takes plugin:action of plain characters, and throws INVALID_ARGUMENT at all else", () => {
    fc.assert(
      fc.property(pieces("echo", ":", "run", "-", "_", "..", "/", "\n", "A"), (input) => {
        const fine = onlyTyped(ARGUMENT, () => checkDirective(input));
        expect(fine).toBe(/^[a-z0-9][a-z0-9-]{0,63}:[A-Za-z0-9_-]{1,64}$/.test(input) && !input.includes("\n"));
      }),
      { numRuns: 5_000 },
    );
  });
});

const KEYS = [
  "node",
  "id",
  "groups",
  "dataDir",
  "listen",
  "peers",
  "work",
  "maxConcurrent",
  "queue",
  "store",
  "maxBytes",
  "ttl",
  "plugins",
  "http",
  "log",
  "level",
  "tls",
  "cert",
  "websocket",
  "headers",
  "__proto__",
  "constructor",
  "<<",
  "&a",
  "*a",
  "!!js/function",
];
const VALUES = [
  "1GiB",
  "5m",
  "-1",
  "1e999",
  "tcp://127.0.0.1:0",
  "auto",
  "{}",
  "[]",
  "[[[[",
  "~",
  "true",
  "|\n  text",
  "'",
  '"\\u0000"',
  "*a",
  "!!binary x",
];

describe("the configuration loader", () => {
  const line = fc.tuple(
    fc.nat(3),
    fc.oneof(fc.constantFrom(...KEYS), fc.string({ maxLength: 5 })),
    fc.oneof(fc.constantFrom(...VALUES), fc.string({ maxLength: 10 })),
  );
  const yaml = fc.oneof(
    fc
      .array(line, { maxLength: 15 })
      .map((lines) => lines.map(([depth, key, value]) => `${"  ".repeat(depth)}${key}: ${value}`).join("\n")),
    fc.string({ unit: "binary", maxLength: 100 }),
    fc.json({ maxDepth: 6 }),
  );

  it("gives a configuration or CONFIG_INVALID for whatever is in the file", async () => {
    const file = join(folder, "receptor.config.yaml");
    await fc.assert(
      fc.asyncProperty(yaml, async (text) => {
        writeFileSync(file, text);
        await settles(["CONFIG_INVALID"], loadConfig({ file, env: {}, cwd: folder }));
        await settles(["CONFIG_INVALID"], checkConfigFile(file, folder));
      }),
      { numRuns: 500 },
    );
  });

  it("does not blow up at references that double", async () => {
    const file = join(folder, "bomb.yaml");
    const lines = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 20; i++) {
      const [name, before] = [String.fromCharCode(97 + i), String.fromCharCode(96 + i)];
      lines.push(`${name}: &${name} [${new Array<string>(9).fill(`*${before}`).join(", ")}]`);
    }
    writeFileSync(file, `${lines.join("\n")}\n`);
    const began = performance.now();
    await settles(["CONFIG_INVALID"], loadConfig({ file, env: {}, cwd: folder }));
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it("gives a configuration, CONFIG_INVALID or INVALID_ARGUMENT for whatever the environment and the flags say", async () => {
    const names = [
      "RECEPTOR_NODE_ID",
      "RECEPTOR_LISTEN",
      "RECEPTOR_WORK_QUEUE",
      "RECEPTOR_STORE_TTL",
      "RECEPTOR_PLUGINS",
      "RECEPTOR_LOG_LEVEL",
      "RECEPTOR_X",
    ];
    const value = fc.oneof(fc.constantFrom(...VALUES), fc.string({ maxLength: 20 }));
    const record = fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 });
    const flags = fc.dictionary(
      fc.constantFrom("id", "listen", "peer", "group", "max-work", "http", "log-level"),
      fc.oneof(value, fc.array(value, { maxLength: 3 })),
      { maxKeys: 3 },
    );
    await fc.assert(
      fc.asyncProperty(record, flags, async (env, given) => {
        await settles(["CONFIG_INVALID", "INVALID_ARGUMENT"], loadConfig({ env, flags: given, cwd: folder }));
      }),
      { numRuns: 500 },
    );
  });

  it("gives options or CONFIG_INVALID for whatever a program passes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...KEYS), fc.jsonValue({ maxDepth: 4 }), { maxKeys: 6 }), async (options) => {
        await settles(["CONFIG_INVALID"], resolveOptions(options));
      }),
      { numRuns: 1_000 },
    );
  });
});

/** The promise resolves, or rejects with a MeshError of one of these codes. */
async function settles(codes: readonly string[], promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    if (!isMeshError(error)) throw error;
    expect(codes).toContain(error.code);
  }
}
