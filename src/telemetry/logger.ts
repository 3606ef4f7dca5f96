import { createRequire } from "node:module";
import type * as Pino from "pino";
import type { DestinationStream, LoggerOptions } from "pino";
import type * as PinoPretty from "pino-pretty";
import { isMeshError } from "../core/errors.ts";
import { type Logger, SILENT } from "../core/log.ts";
import { escapeControls, escapeDeep, escapeJsonLine } from "./escape.ts";

export type { Log, Logger } from "../core/log.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = "pretty" | "json";

/** Where lines go; each call is one line with its end. `process.stdout` is one. */
export interface LogDestination {
  write(line: string): unknown;
  readonly isTTY?: boolean | undefined;
}

export interface LoggerSettings {
  /** Default info. */
  readonly level?: LogLevel;
  /** Default pretty. */
  readonly format?: LogFormat;
  /** Default stdout: a node's log is its output, and scripts read its ready line there. */
  readonly destination?: LogDestination;
  /** Default: where the destination is a terminal and NO_COLOR is not set. */
  readonly colour?: boolean;
}

// Loaded when a logger is made: a command that logs nothing starts faster without them. Both are CommonJS, so this can wait for no one.
const load = createRequire(import.meta.url);

/** A logger that writes one line for each event, at once. Errors are logged as what they say, with a stack only for defects. */
export function createLogger(settings: LoggerSettings = {}): Logger {
  const { level = "info", format = "pretty", destination = guarded(process.stdout) } = settings;
  if (level === "silent") return SILENT;
  const { pino } = load("pino") as typeof Pino;
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: describeError, err: describeError, cause: describeError },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: "[redacted]" },
  };
  const stream: DestinationStream = format === "json" ? jsonStream(destination) : prettyStream(destination, settings.colour);
  return pino(options, stream);
}

/** `value` as a Logger where it is one (pino's are); undefined otherwise. */
export function adoptLogger(value: unknown): Logger | undefined {
  return isLogger(value) ? value : undefined;
}

function isLogger(value: unknown): value is Logger {
  if (typeof value !== "object" || value === null) return false;
  return ["debug", "info", "warn", "error", "child"].every((name) => typeof Reflect.get(value, name) === "function");
}

const SECRETS = ["token", "secret", "password", "privateKey", "authorization"];

function jsonStream(destination: LogDestination): DestinationStream {
  return { write: (line) => void destination.write(escapeJsonLine(line)) };
}

function prettyStream(destination: LogDestination, colour: boolean | undefined): DestinationStream {
  const { prettyFactory } = load("pino-pretty") as typeof PinoPretty;
  const colorize = colour ?? (destination.isTTY === true && (process.env["NO_COLOR"] ?? "") === "");
  const prettify = prettyFactory({ colorize, singleLine: true, translateTime: "SYS:HH:MM:ss.l", errorLikeObjectKeys: [] });
  return {
    write(line) {
      const { entry, stack } = withoutStack(JSON.parse(line));
      destination.write(`${prettify(escapeDeep(entry))}${stack}`);
    },
  };
}

/** Takes the stack out of the entry's error: on lines of its own, indented, it can be read. */
function withoutStack(entry: unknown): { entry: unknown; stack: string } {
  if (typeof entry !== "object" || entry === null || !("error" in entry)) return { entry, stack: "" };
  const { error } = entry;
  if (typeof error !== "object" || error === null || !("stack" in error) || typeof error.stack !== "string") return { entry, stack: "" };
  const { stack, ...rest } = error;
  const lines = stack.split("\n").map((line) => `    ${escapeControls(line)}\n`);
  return { entry: { ...entry, error: rest }, stack: lines.join("") };
}

/** What a log says of an error: its code, message and data; a stack only where the program itself is at fault. */
function describeError(thrown: unknown, depth = 0): unknown {
  if (!(thrown instanceof Error)) return isMeshError(thrown) ? { code: thrown.code, message: thrown.message, data: thrown.data } : thrown;
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
  const known = isMeshError(thrown);
  return {
    ...(code === undefined ? { type: thrown.name } : { code }),
    message: thrown.message,
    ...(known && Object.keys(thrown.data).length > 0 ? { data: thrown.data } : {}),
    ...(thrown.cause === undefined || depth >= 3 ? {} : { cause: describeError(thrown.cause, depth + 1) }),
    ...(known && code !== "INTERNAL" ? {} : { stack: thrown.stack }),
  };
}

const watched = new WeakSet<NodeJS.WriteStream>();

/** A reader of the log that goes away must not end the node. */
function guarded(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  if (!watched.has(stream)) {
    watched.add(stream);
    stream.on("error", () => {
      // There is nowhere left to tell it.
    });
  }
  return stream;
}
