import { nearest } from "../config/nearest.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "./commands.ts";
import type { CommandSpec } from "./spec.ts";

/** One line that says what is wrong with a command line, out of what the parser said; with the nearest right word. */
export function explain(message: string, argv: readonly string[]): string {
  const path = commandPath(argv);
  const spec = path.at(-1);
  const words = ["receptor", ...path.map(({ name }) => name)].join(" ");
  return `${problem(message, argv, spec)} (see \`${words} --help\`)`;
}

function problem(message: string, argv: readonly string[], spec: CommandSpec | undefined): string {
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/s.exec(message)?.[1]?.split(", ") ?? [];
  const commands = spec === undefined ? COMMANDS : (spec.commands ?? []);
  // Without a command its options are unknown too, so the word that should be one comes first.
  const word = unknown.find((name) => !isOption(name, argv));
  if (word !== undefined && commands.length > 0)
    return `unknown command "${word}"${hint(
      nearest(
        word,
        commands.map(({ name }) => name),
      ),
      "",
    )}`;
  const option = unknown.find((name) => isOption(name, argv));
  if (option !== undefined) {
    const dashes = option.length === 1 ? "-" : "--";
    return `unknown option ${dashes}${option}${hint(nearest(option, Object.keys({ ...spec?.options, ...GLOBAL_OPTIONS })), "--")}`;
  }
  if (word !== undefined) return `there is no place for "${word}"`;
  const got = /^Not enough non-option arguments: got (\d+)/.exec(message)?.[1];
  if (got !== undefined) {
    const missing = (spec?.positionals ?? []).filter(({ required }) => required).slice(Number(got));
    return missing.length === 0 ? "no command" : `missing ${missing.map(({ name }) => name.toUpperCase()).join(" and ")}`;
  }
  const valueless = /^Not enough arguments following: (.*)$/.exec(message)?.[1];
  if (valueless !== undefined) return `--${longName(valueless, spec)} needs a value`;
  return message.replaceAll(/\s+/g, " ").trim();
}

function longName(name: string, spec: CommandSpec | undefined): string {
  return Object.entries(spec?.options ?? {}).find(([, { alias }]) => alias === name)?.[0] ?? name;
}

function hint(word: string | undefined, dashes: string): string {
  return word === undefined ? "" : `; did you mean "${dashes}${word}"?`;
}

function isOption(name: string, argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const before = end < 0 ? argv : argv.slice(0, end);
  return before.some(
    (word) =>
      word === `--${name}` || word.startsWith(`--${name}=`) || (name.length === 1 && /^-[A-Za-z]/.test(word) && word.includes(name)),
  );
}

/** The commands that were named, outermost first. */
function commandPath(argv: readonly string[]): CommandSpec[] {
  const path: CommandSpec[] = [];
  let commands: readonly CommandSpec[] = COMMANDS;
  for (const word of argv) {
    const found = commands.find(({ name }) => name === word);
    if (found === undefined) continue;
    path.push(found);
    commands = found.commands ?? [];
    if (commands.length === 0) break;
  }
  return path;
}
