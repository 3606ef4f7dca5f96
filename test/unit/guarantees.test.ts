import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const lines = readFileSync(join(root, "docs/guarantees.md"), "utf8").split("\n");

/** The cells of each row of a table, without the heads. */
const rows = lines
  .filter((line) => line.startsWith("| ") && line !== "| promise | test |")
  .map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );

describe("docs/guarantees.md", () => {
  it("has promises", () => {
    expect(rows.length).toBeGreaterThan(30);
  });

  it.each(rows)("%s", (promise, tests = "") => {
    expect(promise).not.toBe("");
    const named = [...tests.matchAll(/`(test\/[^`]+\.test\.ts)`((?:,? "[^"]+")*)/g)];
    expect(named.length, "there is no test behind it").toBeGreaterThan(0);
    // Nothing stands there but tests.
    expect(tests.replace(/`test\/[^`]+\.test\.ts`((?:,? "[^"]+")*)/g, "").replace(/[; ]/g, "")).toBe("");
    for (const [, path = "", titles = ""] of named) {
      expect(existsSync(join(root, path)), path).toBe(true);
      const code = readFileSync(join(root, path), "utf8");
      for (const [, title = ""] of titles.matchAll(/"([^"]+)"/g)) expect(code.includes(title), `${path} has no test "${title}"`).toBe(true);
    }
  });
});
