import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../../src/cli/commands.ts";
import type { CommandSpec } from "../../../src/cli/spec.ts";
import { VERSION } from "../../../src/node/version.ts";
import { cli, lines } from "./fakes.ts";

const all = (commands: readonly CommandSpec[], before: readonly string[] = []): (readonly [readonly string[], CommandSpec])[] =>
  commands.flatMap((spec) => [[[...before, spec.name], spec] as const, ...all(spec.commands ?? [], [...before, spec.name])]);

describe("a wrong command line", () => {
  it.each([
    ["", "no command (see `receptor --help`)"],
    ["pong", 'unknown command "pong"; did you mean "ping"? (see `receptor --help`)'],
    ["frobnicate", 'unknown command "frobnicate" (see `receptor --help`)'],
    ["queue", "no command (see `receptor queue --help`)"],
    ["queue lst", 'unknown command "lst"; did you mean "list"? (see `receptor queue --help`)'],
    ["ping", "missing NODE (see `receptor ping --help`)"],
    ["send a", "missing DIRECTIVE (see `receptor send --help`)"],
    ["send", "missing TARGET and DIRECTIVE (see `receptor send --help`)"],
    ["ping a b", 'there is no place for "b" (see `receptor ping --help`)'],
    ["ping a --jsno", 'unknown option --jsno; did you mean "--json"? (see `receptor ping --help`)'],
    ["node --groups web", 'unknown option --groups; did you mean "--group"? (see `receptor node --help`)'],
    ["ping a -z", "unknown option -z (see `receptor ping --help`)"],
    ["ping a --peer", "--peer needs a value (see `receptor ping --help`)"],
    ["ping a -c", "--count needs a value (see `receptor ping --help`)"],
    ["ping a -c 0", '--count is a whole number from 1, not "0"'],
    ["ping a -i soon", '--interval is a number of seconds, not "soon"'],
    ["ping a --timeout 0", '--timeout is a number of seconds, at least 0.001, not "0"'],
    ["ping a/b", '"a/b" is no node id: use 1 to 128 characters of A-Z a-z 0-9 . _ : -'],
    ["ping a --peer zip://x", '"zip://x" is no address of a node: "zip" is none of'],
    ["send a b:c --header x", '--header is NAME=VALUE, not "x"'],
    ["send a b:c --raw --json", "--raw and --json exclude each other"],
    ["completion tcsh", 'SHELL is one of bash, zsh, fish, not "tcsh"'],
    ["queue purge", "say what to purge: ids, --to NODE or --all"],
    ["queue purge nonsense", '"nonsense" is no work id'],
    ["queue purge --all --to a", "ids, --to and --all exclude each other"],
    ["node --listen a:1 --no-listen", "--listen and --no-listen exclude each other"],
    ["node --log-level inof", '--log-level: log.level is one of debug, info, warn, error, silent, not "inof"; did you mean "info"?'],
    ["node --id a/b", "--id: node.id: a node id has 1 to 128 characters"],
    ["node --listen zip://x", '--listen: listen[0]: "zip://x" is no address of a node'],
  ])("`receptor %s` ends with 2, one line and a hint", async (line, expected) => {
    const argv = line.split(" ").filter((word) => word !== "");
    const plain = await cli(argv);
    expect(plain.exit).toBe(2);
    if (!argv.includes("--json")) {
      expect(plain.stdout).toBe("");
      expect(lines(plain.stderr)).toHaveLength(1);
      expect(plain.stderr).toContain(`receptor: INVALID_ARGUMENT: ${expected}`);
      expect(plain.connects).toEqual([]);
    }
    const json = await cli([...argv, "--json"]);
    if (argv.at(-1) === "--peer" || argv.at(-1) === "-c" || argv.includes("--raw")) return;
    expect(json.exit).toBe(2);
    expect(json.stderr).toBe("");
    expect(json.objects).toEqual([
      { error: expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(expected) }) },
    ]);
  });

  it("does not take --json behind -- for the option", async () => {
    expect((await cli(["send", "a", "b:c", "--raw", "--", "--json"])).stderr).toContain("UNREACHABLE_MESH");
  });
});

describe("help", () => {
  it("lists every command", async () => {
    const { exit, stdout } = await cli(["--help"]);
    expect(exit).toBe(0);
    for (const { name } of COMMANDS) expect(stdout).toContain(`receptor ${name}`);
  });

  it.each(all(COMMANDS).map(([path, spec]) => [path.join(" "), spec] as const))(
    "of %s has its options and an example that can be parsed",
    async (words, spec) => {
      const { exit, stdout } = await cli([...words.split(" "), "--help"]);
      expect(exit).toBe(0);
      for (const option of ["json", "quiet", ...Object.keys(spec.options ?? {})]) expect(stdout).toContain(`--${option}`);
      expect(stdout).toContain("Examples:");
      expect(spec.examples.length).toBeGreaterThan(0);
      for (const [example] of spec.examples) expect(example.startsWith(words)).toBe(true);
    },
  );
});

describe("--version", () => {
  it("is printed, with --json as an object", async () => {
    expect((await cli(["--version"])).stdout).toBe(`${VERSION}\n`);
    expect((await cli(["-V"])).stdout).toBe(`${VERSION}\n`);
    expect((await cli(["--version", "--json"])).objects).toEqual([{ version: VERSION }]);
  });
});

describe("an error", () => {
  it("shows no stack unless RECEPTOR_DEBUG asks for it", async () => {
    const services = { connect: async () => Promise.reject(new TypeError("boom")) };
    const plain = await cli(["status"], { services });
    expect(plain).toMatchObject({ exit: 1, stdout: "", stderr: "receptor: INTERNAL: boom\n" });
    expect((await cli(["status"], { services, env: { RECEPTOR_DEBUG: "1" } })).stderr).toMatch(/at /);
  });

  it("that interrupts is told by the exit status alone", async () => {
    const controller = new AbortController();
    controller.abort({ exit: 130 });
    const ran = await cli(["status"], { signal: controller.signal });
    expect(ran).toMatchObject({ exit: 130, stdout: "", stderr: "" });
  });

  it("has the exit status of the mesh that cannot be reached", async () => {
    expect(await cli(["status"])).toMatchObject({ exit: 6, stderr: "receptor: UNREACHABLE_MESH: no peer answers\n" });
    expect((await cli(["status", "--json"])).objects).toEqual([{ error: { code: "UNREACHABLE_MESH", message: "no peer answers" } }]);
  });
});
