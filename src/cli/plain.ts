import { Arguments } from "./arguments.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "./commands.ts";
import type { CommandSpec, PositionalSpec, Runner } from "./spec.ts";

/** A command that was found, and what it was told. */
export interface ChosenCommand {
  readonly load: () => Promise<Runner>;
  readonly args: Arguments;
}

/** What yargs may read as more than the word that it is: options, quotes that it takes off, and nothing at all. Numbers and `-` are words. */
const SPECIAL = /^(?:$|["']|-[^.\d])/s;

/**
 * A command line of the common kind, read without yargs, which takes longer to load than all else that a command needs: the command's
 * words first, then its options and arguments. Undefined says nothing: what is not surely right is yargs's to read and to explain.
 */
export function readPlain(argv: readonly string[]): ChosenCommand | undefined {
  const { spec, rest } = commandOf(argv);
  if (spec?.load === undefined) return undefined;
  const flags: Record<string, true> = {};
  const texts: Record<string, string[]> = {};
  const words: string[] = [];
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? "";
    if (!SPECIAL.test(word)) {
      words.push(word);
      continue;
    }
    const read = readOption(spec, word, rest[at + 1]);
    if (read === undefined) return undefined;
    if (read.value === undefined) flags[read.name] = true;
    else (texts[read.name] ??= []).push(read.value);
    if (read.next) at++;
  }
  const positionals = readPositionals(spec.positionals ?? [], words);
  return positionals && { load: spec.load, args: new Arguments({ ...flags, ...texts, ...positionals }) };
}

/** The command that the first words name, and what follows them. */
function commandOf(argv: readonly string[]): { readonly spec: CommandSpec | undefined; readonly rest: readonly string[] } {
  let spec: CommandSpec | undefined;
  let depth = 0;
  for (let among: readonly CommandSpec[] | undefined = COMMANDS; among !== undefined; among = spec?.commands) {
    spec = among.find(({ name }) => name === argv[depth]);
    depth++;
  }
  return { spec, rest: argv.slice(depth) };
}

interface ReadOption {
  readonly name: string;
  readonly value: string | undefined;
  /** Whether its value is the next word. */
  readonly next: boolean;
}

function readOption({ options }: CommandSpec, word: string, following: string | undefined): ReadOption | undefined {
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  const [typed, inside] = equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
  const known = Object.entries({ ...GLOBAL_OPTIONS, ...options });
  const [name, option] = known.find(([long, { alias }]) => typed === `--${long}` || (alias !== undefined && typed === `-${alias}`)) ?? [];
  if (name === undefined || option === undefined || name === "help") return undefined;
  if (option.type === "flag") {
    const said = inside !== undefined || following === "true" || following === "false";
    return said ? undefined : { name, value: undefined, next: false };
  }
  const value = inside ?? following;
  return value === undefined || SPECIAL.test(value) ? undefined : { name, value, next: inside === undefined };
}

/** Undefined where a word is missing, or has no place. */
function readPositionals(positionals: readonly PositionalSpec[], words: readonly string[]): Record<string, readonly string[]> | undefined {
  const needed = positionals.filter(({ required }) => required).length;
  if (words.length < needed || (words.length > positionals.length && positionals.at(-1)?.many !== true)) return undefined;
  const read = positionals.map(({ name, many }, at) => [name, words.slice(at, many === true ? undefined : at + 1)] as const);
  return Object.fromEntries(read);
}
