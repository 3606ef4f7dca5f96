import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Arguments } from "../../../src/cli/arguments.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "../../../src/cli/commands.ts";
import { parse } from "../../../src/cli/parse.ts";
import { readPlain } from "../../../src/cli/plain.ts";
import type { CommandSpec } from "../../../src/cli/spec.ts";

interface Command {
  readonly words: readonly string[];
  readonly spec: CommandSpec;
}

const all = (commands: readonly CommandSpec[], before: readonly string[] = []): readonly Command[] =>
  commands.flatMap((spec) => {
    const words = [...before, spec.name];
    return [{ words, spec }, ...all(spec.commands ?? [], words)];
  });
const commands = all(COMMANDS);
const runnable = commands.filter(({ spec }) => spec.load !== undefined);
const optionsOf = ({ options = {} }: CommandSpec) => ({ ...GLOBAL_OPTIONS, ...options });

/** All that a command can ask of its arguments. */
function seen(args: Arguments, spec: CommandSpec): Record<string, unknown> {
  const names = [...Object.keys(optionsOf(spec)), ...(spec.positionals ?? []).map(({ name }) => name)];
  return Object.fromEntries(names.map((name) => [name, [args.text(name), args.list(name), args.flag(name)]]));
}

const PLAIN = ["ö b", ..."a worker echo:run a=b 0 1.5 1e3 0x10 - -5 null @file tcp://127.0.0.1:0 a.b [] node".split(" ")];
const QUOTED = ["", "'a'", '"a', '"a"', "true", "false", "\u0001a"];
const ODD =
  "-- -x --x --json=true --no-json --help -h --version --Json --_ --$0 -jq ---json --json.a --__proto__ --constructor -undefined --undefined".split(
    " ",
  );
const word = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...PLAIN) }, { weight: 1, arbitrary: fc.constantFrom(...QUOTED) });
const odd = fc.constantFrom(...ODD);
const lineOf = ({ words, spec }: Command): fc.Arbitrary<readonly string[]> => {
  const option = fc.constantFrom(...Object.entries(optionsOf(spec))).chain(([name, { type, alias }]) => {
    const dashed = fc.constantFrom(`--${name}`, ...(alias === undefined ? [] : [`-${alias}`]));
    if (type === "flag") return fc.tuple(dashed);
    return fc.oneof(
      fc.tuple(dashed, word),
      fc.tuple(dashed, word).map(([left, right]) => [`${left}=${right}`]),
    );
  });
  const positionals = (spec.positionals ?? []).map(() => fc.tuple(word));
  const part = fc.oneof(
    { weight: 12, arbitrary: option },
    { weight: 2, arbitrary: fc.tuple(word) },
    { weight: 1, arbitrary: fc.tuple(odd) },
  );
  return fc
    .tuple(fc.tuple(...positionals), fc.array(part, { maxLength: 4 }))
    .chain(([some, more]) => fc.shuffledSubarray([...some, ...more], { minLength: some.length }))
    .map((parts) => [...words, ...parts.flat()]);
};
const lines = fc.constantFrom(...commands).chain((command) => fc.tuple(fc.constant(command), lineOf(command)));

describe("readPlain", () => {
  it("reads nothing that yargs refuses, or reads otherwise", async () => {
    let plain = 0;
    await fc.assert(
      fc.asyncProperty(lines, async ([{ spec }, argv]) => {
        const read = readPlain(argv);
        if (read === undefined) return;
        plain++;
        const parsed = await parse(argv, 80);
        if ("help" in parsed) throw new Error("yargs reads it as a call for help");
        expect(parsed.load).toBe(read.load);
        expect(seen(read.args, spec)).toEqual(seen(parsed.args, spec));
      }),
      { numRuns: 2_000 },
    );
    expect(plain).toBeGreaterThan(500);
  });

  it("reads the examples of each command, and each of its options", () => {
    for (const { words, spec } of runnable) {
      for (const [line] of spec.examples) expect(readPlain(line.replace(/ [<>].*|'/g, "").split(" ")), line).toBeDefined();
      const given = (spec.positionals ?? []).map(({ name }) => name);
      for (const [name, { type, alias }] of Object.entries(optionsOf(spec))) {
        const forms = [`--${name}`, ...(alias === undefined ? [] : [`-${alias}`])];
        for (const form of forms) {
          const read = readPlain([...words, ...given, form, ...(type === "flag" ? [] : ["x"])]);
          if (name === "help") expect(read).toBeUndefined();
          else expect(type === "flag" ? read?.args.flag(name) : read?.args.text(name), `${spec.name} ${form}`).toBe(type === "flag" || "x");
        }
      }
    }
  });

  it.each([
    "",
    "pong",
    "queue",
    "queue lst",
    "ping",
    "ping a b",
    "ping a --jsno",
    "ping a --peer",
    "ping a -c",
    "node --help",
    "send a",
    "--json status",
  ])("leaves `receptor %s` to yargs", (line) => {
    expect(readPlain(line.split(" ").filter((part) => part !== ""))).toBeUndefined();
  });
});
