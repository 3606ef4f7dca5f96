import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";

/** Runs one command; resolves to its exit status. */
export type Runner = (args: Arguments, context: Context) => Promise<number>;

export interface OptionSpec {
  /** "list" may be repeated. */
  readonly type: "text" | "list" | "flag";
  readonly alias?: string;
  readonly summary: string;
  /** What stands for its value in help, and tells the shell what to complete: FILE, DIR, URL, ... */
  readonly value?: string;
  readonly choices?: readonly string[];
}

export interface PositionalSpec {
  readonly name: string;
  readonly summary: string;
  readonly required: boolean;
  readonly many?: boolean;
  readonly choices?: readonly string[];
}

/** One command, as yargs, the help and the shell completions know it. */
export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly positionals?: readonly PositionalSpec[];
  readonly options?: Readonly<Record<string, OptionSpec>>;
  /** Command line after `receptor`, and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  readonly commands?: readonly CommandSpec[];
  /** Imports the command's file; absent where there are only sub-commands. */
  readonly load?: () => Promise<Runner>;
}
