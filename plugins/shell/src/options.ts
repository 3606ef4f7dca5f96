/** One command that a sender may run. */
export interface Command {
  /** Program and its fixed arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Default: the node's working directory. */
  readonly cwd: string | undefined;
  /** Milliseconds; undefined: as long as it takes. */
  readonly timeout: number | undefined;
  /** Whether the sender may add arguments. Default false. */
  readonly args: boolean;
  /** Whether the sender may write to its standard input. Default true. */
  readonly stdin: boolean;
}

export interface Options {
  readonly commands: ReadonlyMap<string, Command>;
  /** Milliseconds between SIGTERM and SIGKILL; default 5000. */
  readonly killAfter: number;
}

const COMMAND_KEYS = ["run", "shell", "env", "cwd", "timeout", "args", "stdin"];
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * The plugin's part of the configuration: `{ commands: { NAME: { run: "uptime" } } }`.
 * Throws, naming the key, where it is wrong.
 */
export function parseOptions(value: unknown): Options {
  const options = record(value ?? {}, "the options of the shell plugin");
  known(options, ["commands", "killAfter"], "the options of the shell plugin");
  const commands = record(options.get("commands") ?? {}, "commands");
  return {
    commands: new Map([...commands].map(([name, command]) => [name, parseCommand(name, command)])),
    killAfter: duration(options.get("killAfter"), "killAfter") ?? 5_000,
  };
}

function parseCommand(name: string, value: unknown): Command {
  const where = `commands.${name}`;
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) throw wrong(where, "a name is 1 to 64 characters of A-Z a-z 0-9 . _ -");
  const command = record(typeof value === "string" || Array.isArray(value) ? { run: value } : value, where);
  known(command, COMMAND_KEYS, where);
  const env = [...record(command.get("env") ?? {}, `${where}.env`)].map(([key, text]) => [key, string(text, `${where}.env.${key}`)]);
  const cwd = command.get("cwd");
  return {
    argv: argvOf(command.get("run"), flag(command.get("shell"), `${where}.shell`, false), where),
    env: Object.fromEntries(env),
    cwd: cwd === undefined ? undefined : string(cwd, `${where}.cwd`),
    timeout: duration(command.get("timeout"), `${where}.timeout`),
    args: flag(command.get("args"), `${where}.args`, false),
    stdin: flag(command.get("stdin"), `${where}.stdin`, true),
  };
}

function argvOf(run: unknown, shell: boolean, where: string): readonly [string, ...string[]] {
  if (shell) {
    // The name stands for $0, so that a sender's arguments begin at $1.
    return ["/bin/sh", "-c", string(run, `${where}.run`), "sh"];
  }
  const words = typeof run === "string" ? split(run, where) : run;
  if (!Array.isArray(words)) throw wrong(`${where}.run`, 'it is a command like "df -h" or a list like ["df", "-h"]');
  const [program, ...rest] = words.map((word) => string(word, `${where}.run`));
  if (program === undefined || program === "") throw wrong(`${where}.run`, "it is empty");
  return [program, ...rest];
}

function split(text: string, where: string): string[] {
  if (/["'`\\|&;<>$(){}*?~]/.test(text)) {
    throw wrong(`${where}.run`, `"${text}" needs a shell: say \`shell: true\`, or give the words as a list`);
  }
  return text.trim().split(/\s+/);
}

function duration(value: unknown, where: string): number | undefined {
  if (value === undefined) return undefined;
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/.exec(string(value, where));
  const milliseconds = match === null ? Number.NaN : Number(match[1]) * (UNITS[match[2] ?? "ms"] ?? 1);
  if (milliseconds > 0 && milliseconds <= 2_147_483_647) return milliseconds;
  throw wrong(where, "it is milliseconds or a text like 30s, above 0 and at most 24 days");
}

function flag(value: unknown, where: string, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value === "boolean") return value;
  throw wrong(where, "it is true or false");
}

function string(value: unknown, where: string): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw wrong(where, "it is a text");
}

function record(value: unknown, where: string): ReadonlyMap<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return new Map(Object.entries(value));
  throw wrong(where, "it is a map of names to values");
}

function known(given: ReadonlyMap<string, unknown>, keys: readonly string[], where: string): void {
  for (const key of given.keys()) if (!keys.includes(key)) throw wrong(where, `it has no key "${key}", only ${keys.join(", ")}`);
}

function wrong(where: string, why: string): Error {
  return Object.assign(new Error(`${where}: ${why}`), { code: "CONFIG_INVALID" });
}
