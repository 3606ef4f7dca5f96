import type { CommandSpec, OptionSpec } from "./spec.ts";

type Options = Readonly<Record<string, OptionSpec>>;

/** What may be typed after the words of one command. */
interface Place {
  /** `""`, `ping`, `queue list`. */
  readonly words: string;
  readonly next: readonly (readonly [string, string])[];
  readonly options: Options;
}

function places(commands: readonly CommandSpec[], global: Options): Place[] {
  const all: Place[] = [{ words: "", next: commands.map(({ name, summary }) => [name, summary] as const), options: global }];
  const walk = (spec: CommandSpec, before: string): void => {
    const words = before === "" ? spec.name : `${before} ${spec.name}`;
    const choices = (spec.positionals ?? []).flatMap(({ choices, summary }) => (choices ?? []).map((choice) => [choice, summary] as const));
    all.push({
      words,
      next: [...(spec.commands ?? []).map(({ name, summary }) => [name, summary] as const), ...choices],
      options: { ...spec.options, ...global },
    });
    for (const child of spec.commands ?? []) walk(child, words);
  };
  for (const command of commands) walk(command, "");
  return all;
}

const flags = (options: Options): string[] =>
  Object.entries(options).flatMap(([name, { alias }]) => (alias === undefined ? [`--${name}`] : [`--${name}`, `-${alias}`]));

/** Options whose value is a file or folder, and those with a fixed set. */
function values(all: readonly Place[]): { files: string[]; choices: Map<string, readonly string[]> } {
  const files = new Set<string>();
  const choices = new Map<string, readonly string[]>();
  for (const { options } of all) {
    for (const [name, spec] of Object.entries(options)) {
      if (spec.value === "FILE" || spec.value === "DIR") files.add(`--${name}`);
      if (spec.choices !== undefined) choices.set(`--${name}`, spec.choices);
    }
  }
  return { files: [...files], choices };
}

export function bash(commands: readonly CommandSpec[], global: Options): string {
  const all = places(commands, global);
  const { files, choices } = values(all);
  const cases = all.map(
    ({ words, next, options }) =>
      `    ${words === "" ? '""' : `"${words}"`}) candidates="${[...next.map(([word]) => word), ...flags(options)].join(" ")}" ;;`,
  );
  const parents = commands.filter((command) => command.commands !== undefined).map(({ name }) => name);
  return `# bash completion for receptor: source <(receptor completion bash)
_receptor() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words="" word candidates=""
  case "$previous" in
    ${files.join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
${[...choices].map(([flag, list]) => `    ${flag}) COMPREPLY=($(compgen -W "${list.join(" ")}" -- "$current")); return ;;`).join("\n")}
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      -*) ;;
      *) if [[ -z "$words" ]]; then words="$word"; else case "$words" in ${parents.join("|")}) words="$words $word" ;; esac; fi ;;
    esac
  done
  case "$words" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
}
complete -o default -F _receptor receptor
`;
}

export function zsh(commands: readonly CommandSpec[], global: Options): string {
  const described = ({ next, options }: Place): string =>
    [
      ...next.map(([word, summary]) => zshWord(word, summary)),
      ...Object.entries(options).map(([name, { summary }]) => zshWord(`--${name}`, summary)),
    ].join(" ");
  const all = places(commands, global);
  const { files, choices } = values(all);
  const parents = commands.filter((command) => command.commands !== undefined).map(({ name }) => name);
  return `#compdef receptor
# zsh completion for receptor: source <(receptor completion zsh)
_receptor() {
  local words_before="" word
  local -a candidates
  case "\${words[CURRENT-1]}" in
    ${files.join("|")}) _files; return ;;
${[...choices].map(([flag, list]) => `    ${flag}) compadd -- ${list.join(" ")}; return ;;`).join("\n")}
  esac
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$word" in
      -*) ;;
      *) if [[ -z "$words_before" ]]; then words_before="$word"; else case "$words_before" in ${parents.join("|")}) words_before="$words_before $word" ;; esac; fi ;;
    esac
  done
  case "$words_before" in
${all.map((place) => `    "${place.words}") candidates=(${described(place)}) ;;`).join("\n")}
  esac
  _describe 'receptor' candidates
}
if [[ "$funcstack[1]" == "_receptor" ]]; then _receptor "$@"; else compdef _receptor receptor; fi
`;
}

function zshWord(word: string, summary: string): string {
  return `'${word}:${summary.replaceAll("'", "'\\''").replaceAll(":", "\\:")}'`;
}

export function fish(commands: readonly CommandSpec[], global: Options): string {
  const lines = ["# fish completion for receptor: receptor completion fish | source", "complete -c receptor -f"];
  const option = (condition: string, name: string, spec: OptionSpec): string => {
    const value =
      spec.choices !== undefined
        ? ` -x -a "${spec.choices.join(" ")}"`
        : spec.value === "FILE" || spec.value === "DIR"
          ? " -r -F"
          : spec.type === "flag"
            ? ""
            : " -x";
    return `complete -c receptor${condition} -l ${name}${spec.alias === undefined ? "" : ` -s ${spec.alias}`}${value} -d ${quoted(spec.summary)}`;
  };
  for (const [name, spec] of Object.entries(global)) lines.push(option("", name, spec));
  for (const command of commands) {
    lines.push(`complete -c receptor -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.summary)}`);
    const inside = ` -n "__fish_seen_subcommand_from ${command.name}"`;
    for (const [name, spec] of Object.entries(command.options ?? {})) lines.push(option(inside, name, spec));
    for (const child of command.commands ?? []) {
      const siblings = (command.commands ?? []).map(({ name }) => name).join(" ");
      lines.push(
        `complete -c receptor -n "__fish_seen_subcommand_from ${command.name}; and not __fish_seen_subcommand_from ${siblings}" -a ${child.name} -d ${quoted(child.summary)}`,
      );
      for (const [name, spec] of Object.entries(child.options ?? {}))
        lines.push(option(` -n "__fish_seen_subcommand_from ${command.name}; and __fish_seen_subcommand_from ${child.name}"`, name, spec));
    }
    for (const { choices = [], summary } of command.positionals ?? []) {
      for (const choice of choices) lines.push(`complete -c receptor${inside} -a ${choice} -d ${quoted(summary)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
