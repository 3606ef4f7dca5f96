import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const script = resolve(import.meta.dirname, "../../scripts/check-house.mjs");
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "receptor-rules-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function check(path: string, text: string): { status: number | null; said: string } {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
  const { status, stderr } = spawnSync(process.execPath, [script, folder], { encoding: "utf8" });
  return { status, said: stderr };
}

// Written in parts, so that this file itself breaks no rule.
const registry = ["registry", "npmjs", "org"].join(".");
const wait = ["set", "Timeout(go, 1);"].join("");
const off = ["//", " @ts-", "ignore"].join("");

describe("check-house", () => {
  it.each([
    ["src/core/a.ts", "const value: string | undefined = list[0]; // any! comment\n", "ordinary code"],
    ["src/core/a.ts", "if (!ready || a !== b) throw new MeshError('INTERNAL', 'any text');\n", "negation"],
    ["src/core/a.ts", "const kind: 'any' | 'all' = 'any';\n", "the word in a text"],
    ["test/integration/a.test.ts", `${wait}\n`, "a timer where there are sockets"],
    ["src/work/a.ts", "\n".repeat(500), "500 lines"],
  ])("accepts in %s: %j (%s)", (path, text) => expect(check(path, text)).toEqual({ status: 0, said: "" }));

  it.each([
    ["src/core/a.ts", ["const a: ", "any = 1;"].join(""), "no `any`"],
    ["plugins/echo/src/a.ts", ["f(a as ", "any);"].join(""), "no `any`"],
    ["src/core/a.ts", ["a", "!.b();"].join(""), "non-null"],
    ["src/core/a.ts", ["const a = b[0]", "!;"].join(""), "non-null"],
    ["src/core/a.ts", off, "type checker stays on"],
    ["src/core/a.ts", ["a as ", "unknown as B;"].join(""), "double assertion"],
    ["src/core/a.ts", "try { f(); } catch {}", "swallowed"],
    ["src/core/a.ts", ["throw new", ' Error("x");'].join(""), "MeshError"],
    ["test/unit/a.test.ts", wait, "virtual time"],
    ["test/sim/a.ts", ["await sle", "ep(5);"].join(""), "virtual time"],
    ["test/e2e/a.test.ts", ["it", ".only('x', f);"].join(""), "hides all others"],
    ["src/core/a.ts", "\n".repeat(501), "more than 500"],
    ["src/misc/a.ts", "export {};", "no room"],
    ["src/helpers.ts", "export {};", "no room"],
    ["README.md", `https://${registry}/x`, "registry host"],
    ["package-lock.json", '{ "packages": { "a": { "resolved": "https://example.com/a.tgz" } } }', "registry address"],
    ["package-lock.json", '{ "packages": { "": { "optionalDependencies": { "x-darwin-arm64": "1.0.0" } } } }', "complete-lockfile"],
  ])("refuses in %s: %j", (path, text, why) => {
    const { status, said } = check(path, text);
    expect(said).toContain(why);
    expect(said).toContain(path);
    expect(status).toBe(1);
  });
});
