import yargs, { type Argv } from "yargs";
import { Arguments, usage } from "./arguments.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "./commands.ts";
import type { ChosenCommand } from "./plain.ts";
import type { CommandSpec, OptionSpec, PositionalSpec } from "./spec.ts";
import { explain } from "./usage-errors.ts";

/** What was typed: help to print, or a command to run. */
export type Parsed = { readonly help: string } | ChosenCommand;

/** Reads any command line (without node and the script). Throws INVALID_ARGUMENT with one line and a hint. */
export async function parse(argv: readonly string[], columns: number): Promise<Parsed> {
  let help = "";
  const parser = yargs()
    .scriptName("receptor")
    .usage("$0 <command>\n\nA node of a peer-to-peer mesh: shortest paths, messages that wait for who is away, work in plugins.")
    .parserConfiguration({
      "boolean-negation": false,
      "camel-case-expansion": false,
      "dot-notation": false,
      "greedy-arrays": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
    })
    .locale("en")
    .wrap(Math.min(columns, 110))
    .version(false)
    .help("help")
    .exitProcess(false)
    .strict()
    .demandCommand(1, "no command")
    .fail((message, error) => {
      // The parser reports some mistakes as messages and some as errors of its own.
      throw usage(explain((message ?? error.message).replaceAll(SHIELD, ""), argv));
    });
  addOptions(parser, GLOBAL_OPTIONS);
  parser.option("version", { alias: "V", type: "boolean", describe: "version", global: false });
  const choose = (spec: CommandSpec, values: Record<string, unknown>): void => {
    if (spec.load !== undefined) throw new Chosen({ load: spec.load, args: new Arguments(unshield(values)) });
  };
  for (const spec of COMMANDS) addCommand(parser, spec, "", choose);
  try {
    await parser.parseAsync(shield(argv), {}, (_error: unknown, _argv: unknown, output: string) => {
      help = output;
    });
  } catch (thrown) {
    if (thrown instanceof Chosen) return thrown.command;
    throw thrown;
  }
  return { help };
}

/** Leaves the parser with the command that it has found: it would go on to draw that command's help, which takes longer than all it did before. */
class Chosen extends Error {
  readonly command: ChosenCommand;

  constructor(command: ChosenCommand) {
    super("a command was chosen");
    this.command = command;
  }
}

/** Stands before words that the parser would lose or take for options. */
const SHIELD = "\u0001";

/** Hides `-`, negative numbers, and what follows `--`, which the parser drops when it fills in positional arguments. */
function shield(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  const [before, behind] = end < 0 ? [argv, []] : [argv.slice(0, end), argv.slice(end + 1)];
  return [...before.map(shieldValue), ...behind.map((word) => SHIELD + word)];
}

/** Of a word that is an option with its value, the value. */
function shieldValue(word: string): string {
  const at = word.startsWith("--") ? word.indexOf("=") + 1 : 0;
  const value = word.slice(at);
  return value.startsWith(SHIELD) || /^-(?:[.\d].*)?$/s.test(value) ? word.slice(0, at) + SHIELD + value : word;
}

function unshield(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const open = (value: unknown): unknown =>
    typeof value === "string" && value.startsWith(SHIELD) ? value.slice(1) : Array.isArray(value) ? value.map(open) : value;
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, open(value)]));
}

function addCommand(
  parser: Argv,
  spec: CommandSpec,
  before: string,
  choose: (spec: CommandSpec, values: Record<string, unknown>) => void,
): void {
  const words = before === "" ? spec.name : `${before} ${spec.name}`;
  const positionals = (spec.positionals ?? []).map(placeholder);
  parser.command({
    command: [spec.name, ...positionals].join(" "),
    describe: spec.summary,
    builder: (inner: Argv) => {
      const usageLine = [`$0 ${words}`, ...(spec.commands === undefined ? positionals : ["<command>"])].join(" ");
      inner.usage(`${usageLine}\n\n${spec.summary[0]?.toUpperCase()}${spec.summary.slice(1)}.`);
      for (const positional of spec.positionals ?? []) {
        inner.positional(positional.name, {
          type: "string",
          describe: positional.summary,
          ...(positional.many === true ? { array: true } : {}),
        });
      }
      addOptions(inner, spec.options ?? {});
      for (const child of spec.commands ?? []) addCommand(inner, child, words, choose);
      if (spec.commands !== undefined) inner.demandCommand(1, "no command");
      for (const [line, what] of spec.examples) inner.example(`$0 ${line}`, what);
      return inner;
    },
    handler: (values) => choose(spec, values),
  });
}

function placeholder({ name, required, many }: PositionalSpec): string {
  const inside = many === true ? `${name}..` : name;
  return required ? `<${inside}>` : `[${inside}]`;
}

function addOptions(parser: Argv, options: Readonly<Record<string, OptionSpec>>): void {
  for (const [name, { type, alias, summary, value }] of Object.entries(options)) {
    if (name === "help") {
      parser.alias("help", "h");
      continue;
    }
    parser.option(name, {
      describe: value === undefined ? summary : `${value}: ${summary}`,
      ...(alias === undefined ? {} : { alias }),
      ...(type === "flag" ? { type: "boolean" as const } : { type: "string" as const, requiresArg: true }),
      ...(type === "list" ? { array: true } : {}),
    });
  }
}
