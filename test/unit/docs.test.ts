import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { ERROR_CODES, EXIT } from "../../src/core/errors.ts";
import { LIMITS, TIMES } from "../../src/core/limits.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { ROUTING } from "../../src/routing/numbers.ts";
import { FRAME } from "../../src/wire/frame.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** The part of a document below a heading, up to the next one of its level or above. */
function section(text: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length ?? 1;
  const lines = text.split("\n");
  const start = lines.indexOf(heading);
  expect(start, `there is no heading "${heading}"`).toBeGreaterThanOrEqual(0);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => (/^(#+) /.exec(line)?.[1]?.length ?? 99) <= level);
  return (end < 0 ? rest : rest.slice(0, end)).join("\n");
}

/** The rows of the tables in `text`, without their heads. */
function rows(text: string): string[][] {
  const lines = text.split("\n");
  return lines
    .filter((line, at) => line.startsWith("|") && !/^\|[-| ]+\|$/.test(line) && !/^\|[-| ]+\|$/.test(lines[at + 1] ?? ""))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

const bare = (cell: string | undefined): string => (cell ?? "").replaceAll("`", "");

/** A map from the first column to the second; a first cell that comes twice fails. */
function pairs(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [first, second] of rows(text)) {
    expect(found, `"${first}" stands there twice`).not.toHaveProperty([bare(first)]);
    found[bare(first)] = bare(second);
  }
  return found;
}

const UNITS: Readonly<Record<string, number>> = { "": 1, KiB: 1024, MiB: 1024 ** 2, ms: 1, s: 1_000, min: 60_000, h: 3_600_000 };

/** `64 KiB`, `10,000`, `5 min`, `1.6` as numbers. */
function amount(text: string): number {
  const [, digits = "", unit = ""] = /^([\d.,]+) ?([A-Za-z]*)$/.exec(text) ?? [];
  return Number(digits.replaceAll(",", "")) * (UNITS[unit] ?? Number.NaN);
}

function amounts(text: string): Record<string, number> {
  return Object.fromEntries(Object.entries(pairs(text)).map(([key, value]) => [key, amount(value)]));
}

/** Nested objects by dotted keys. */
function flat(object: object, prefix = ""): Record<string, number> {
  return Object.assign(
    {},
    ...Object.entries(object).map(([key, value]: [string, unknown]) =>
      typeof value === "object" && value !== null ? flat(value, `${prefix}${key}.`) : { [prefix + key]: value },
    ),
  );
}

function documents(): string[] {
  const below = (folder: string): string[] =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".md"))
      .map((path) => join(folder, path));
  return ["README.md", ...below("docs"), ...below("src")];
}

/** Code between fences, by language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)].filter((match) => match[1] === language).map((match) => match[2] ?? "");
}

/** What GitHub makes of a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

describe("docs/errors.md", () => {
  const text = read("docs/errors.md");

  it("has a row for each of ERROR_CODES with its exit status, and no other", () => {
    const expected = Object.fromEntries(Object.entries(ERROR_CODES).map(([code, { exit }]) => [code, String(exit)]));
    expect(pairs(section(text, "## Codes"))).toEqual(expected);
  });

  it("says of each code what it means and what to do", () => {
    for (const [code, , means, mend] of rows(section(text, "## Codes"))) {
      expect(means?.length, `${code}: what it means`).toBeGreaterThan(10);
      expect(mend?.length, `${code}: what to do`).toBeGreaterThan(10);
    }
  });

  it("lists each exit status of EXIT, and no other", () => {
    expect(Object.keys(pairs(section(text, "## Exit statuses")))).toEqual(Object.values(EXIT).map(String));
  });
});

describe("docs/limits.md", () => {
  const text = read("docs/limits.md");

  it("has each of LIMITS with its value, and no other", () => {
    expect(amounts(section(text, "## Sizes and counts"))).toEqual(flat(LIMITS));
  });

  it("has each of TIMES with its value, and no other", () => {
    expect(amounts(section(text, "## Times"))).toEqual(flat(TIMES));
  });

  it("names numbers of ROUTING with their values", () => {
    expect(flat(ROUTING)).toMatchObject(amounts(section(text, "## Routing")));
  });
});

it("docs/protocol.md has each kind of FRAME with its number, and no other", () => {
  const named = Object.fromEntries(
    Object.entries(pairs(section(read("docs/protocol.md"), "## Kinds"))).map(([kind, name]) => [
      name.replace(/ (\w)/g, (_, letter: string) => letter.toUpperCase()),
      Number(kind),
    ]),
  );
  expect(named).toEqual(FRAME);
});

it("docs/operations.md has each of SETTINGS, with its flag and variables", () => {
  const table = section(read("docs/operations.md"), "## Configuration");
  for (const { path, flag, env } of SETTINGS) {
    const row = table.split("\n").find((line) => line.startsWith("|") && (line.split("|")[1] ?? "").includes(`\`${path.join(".")}\``));
    expect(row, path.join(".")).toBeDefined();
    for (const word of [...(flag === undefined ? [] : [`--${flag}`]), ...env.slice(0, 1)]) expect(row).toContain(`\`${word}\``);
  }
});

it("docs/architecture.md names files that there are", () => {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  const named = [...read("docs/architecture.md").matchAll(/`(?:src\/)?([\w/-]+\.ts)`/g)].map((match) => match[1] ?? "");
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((file) => !sources.some((source) => `/${source}`.endsWith(`/${file}`)))).toEqual([]);
});

describe("links", () => {
  it.each(documents())("of %s lead to files and headings that are there", (path) => {
    const broken = [...read(path).matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1] ?? "")
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [file = "", heading] = target.split("#");
        const at = file === "" ? join(root, path) : resolve(root, dirname(path), file);
        if (!existsSync(at) || relative(root, at).startsWith("..")) return true;
        if (heading === undefined) return false;
        return ![...readFileSync(at, "utf8").matchAll(/^#+ (.*)$/gm)].some((match) => anchor(match[1] ?? "") === heading);
      });
    expect(broken).toEqual([]);
  });

  it("lead to each document in docs from some other one", () => {
    const linked = documents().flatMap((path) =>
      [...read(path).matchAll(/\]\(([^)\s#]+)/g)].map((match) => relative(root, resolve(root, dirname(path), match[1] ?? ""))),
    );
    const alone = documents().filter((path) => /^docs\/[^/]+\.md$/.test(path) && !linked.includes(path));
    expect(alone).toEqual([]);
  });
});

describe("README.md", () => {
  const text = read("README.md");

  it.each(blocks(text, "ts").map((code, at) => [at + 1, code] as const))("has TypeScript that parses (block %i)", (_, code) => {
    const { diagnostics = [] } = ts.transpileModule(code, {
      reportDiagnostics: true,
      compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext },
    });
    expect(diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))).toEqual([]);
  });

  it("shows a plugin and a controller", () => {
    const code = blocks(text, "ts");
    expect(code.some((block) => block.includes("export default") && block.includes("actions:"))).toBe(true);
    expect(code.some((block) => block.includes('from "receptor-mesh"'))).toBe(true);
  });

  it("has JSON that parses", () => {
    for (const code of blocks(text, "json")) expect(() => void JSON.parse(code), code).not.toThrow();
  });

  it("has fewer than 250 lines", () => {
    expect(text.split("\n").length).toBeLessThan(250);
  });
});

describe("commands", () => {
  const documented = ["README.md", ...readdirSync(join(root, "docs")).map((name) => join("docs", name))].filter((path) =>
    path.endsWith(".md"),
  );

  it.each(documented)("in %s are commands and options that there are", async (path) => {
    const { COMMANDS, GLOBAL_OPTIONS } = await import("../../src/cli/commands.ts");
    const text = read(path);
    const lines = [
      ...blocks(text, "sh").flatMap((block) => block.split("\n")),
      ...[...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? ""),
    ];
    for (const line of lines
      .map((candidate) => candidate.replace(/\s#.*$/, "").trim())
      .filter((candidate) => /^receptor [a-z]/.test(candidate))) {
      const [, name, second, ...rest] = line.split(/\s+/);
      const command = COMMANDS.find((candidate) => candidate.name === name);
      expect(command, line).toBeDefined();
      const inner = command?.commands?.find((candidate) => candidate.name === second);
      if (command?.commands !== undefined) expect(inner, line).toBeDefined();
      const innermost = inner?.commands?.find((candidate) => candidate.name === rest[0]);
      if (inner?.commands !== undefined) expect(innermost, line).toBeDefined();
      const spec = innermost ?? inner ?? command;
      const options = new Set(Object.keys({ ...GLOBAL_OPTIONS, ...spec?.options }));
      for (const word of [second ?? "", ...rest].filter((candidate) => candidate.startsWith("--"))) {
        expect(options, line).toContain(word.slice(2).split("=")[0]);
      }
    }
  });
});
