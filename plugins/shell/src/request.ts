import type { Readable } from "node:stream";
import type { Input } from "receptor-mesh/plugin";
import type { Command, Options } from "./options.ts";

/** What a sender asks for, checked against the configuration. */
export interface Request {
  readonly name: string;
  readonly command: Command;
  /** The configured ones and the sender's. */
  readonly argv: readonly [string, ...string[]];
  /** What the command reads; undefined: nothing. */
  readonly stdin: string | Readable | undefined;
}

interface Asked {
  readonly name: string;
  readonly args: readonly string[];
  readonly stdin: string | Readable | undefined;
}

const EXAMPLE = 'send a command\'s name, or {"command":"NAME","args":[],"stdin":""}';

/**
 * Reads a request: the header `command`, and then the whole payload is standard input, as it arrives; or as JSON
 * `{"command","args","stdin"}`; or as text `NAME ARG ...`. Throws INVALID_ARGUMENT, or DENIED for what is not configured.
 */
export async function readRequest(input: Input, headers: Readonly<Record<string, string>>, options: Options): Promise<Request> {
  const header = headers.command;
  const asked = header === undefined ? parsePayload(await input.text()) : { ...parseWords(header), stdin: input.stream() };
  const command = options.commands.get(asked.name);
  if (command === undefined) throw failure("DENIED", refusal(asked.name, options));
  if (asked.args.length > 0 && !command.args) {
    throw failure(
      "DENIED",
      `"${asked.name}" takes no arguments from a sender: commands.${asked.name}.args is not set in this node's configuration`,
    );
  }
  if (asked.stdin !== undefined && !command.stdin) {
    throw failure(
      "DENIED",
      `"${asked.name}" takes no input from a sender: commands.${asked.name}.stdin is false in this node's configuration`,
    );
  }
  return { name: asked.name, command, argv: [...command.argv, ...asked.args], stdin: asked.stdin };
}

function parsePayload(text: string): Asked {
  const trimmed = text.trim();
  return trimmed.startsWith("{") ? parseJson(trimmed) : { ...parseWords(trimmed), stdin: undefined };
}

function parseWords(text: string): { name: string; args: readonly string[] } {
  const [name = "", ...args] = text.trim().split(/\s+/);
  if (name === "") throw failure("INVALID_ARGUMENT", `no command was named: ${EXAMPLE}`);
  return { name, args };
}

function parseJson(text: string): Asked {
  const fields = new Map<string, unknown>(Object.entries(parse(text)));
  for (const key of fields.keys()) {
    if (!["command", "args", "stdin"].includes(key)) throw failure("INVALID_ARGUMENT", `"${key}" is unknown: ${EXAMPLE}`);
  }
  const [name, args = [], stdin] = [fields.get("command"), fields.get("args"), fields.get("stdin")];
  if (typeof name !== "string" || name === "") throw failure("INVALID_ARGUMENT", `"command" must be a text: ${EXAMPLE}`);
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === "string" && !arg.includes("\0"))) {
    throw failure("INVALID_ARGUMENT", `"args" must be a list of texts: ${EXAMPLE}`);
  }
  if (stdin !== undefined && typeof stdin !== "string") throw failure("INVALID_ARGUMENT", `"stdin" must be a text: ${EXAMPLE}`);
  return { name, args, stdin };
}

function parse(text: string): object {
  try {
    return Object(JSON.parse(text));
  } catch {
    throw failure("INVALID_ARGUMENT", `the payload begins like JSON and is none: ${EXAMPLE}`);
  }
}

function refusal(name: string, options: Options): string {
  const names = [...options.commands.keys()];
  if (names.length > 0) return `"${name.slice(0, 64)}" is none of the commands that this node allows: ${names.join(", ")}`;
  return 'this node allows no command: put for example `plugins: { shell: { commands: { uptime: { run: "uptime" } } } }` in its configuration';
}

/** An error with a code that the sender sees. */
export function failure(code: string, message: string, more: { exitCode?: number; cause?: unknown } = {}): Error {
  const { cause, ...facts } = more;
  return Object.assign(new Error(message, { cause }), { code, ...facts });
}
