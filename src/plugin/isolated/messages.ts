import { fromUtf8, utf8 } from "../../core/bytes.ts";
import { type ErrorData, isErrorCode, MeshError } from "../../core/errors.ts";
import { checkDefinition } from "../check.ts";
import type { Content, Outcome } from "../contract.ts";
import type { PluginDefinition } from "../definition.ts";
import { isRecord } from "../package.ts";
import { isChannel } from "../runner.ts";

/** What the node tells a process first. */
export interface LoadOrder {
  /** URL of the module. */
  readonly url: string;
  /** What errors call the plugin. */
  readonly label: string;
  readonly node: string;
  /** Milliseconds that loading may take. */
  readonly limit: number;
}

/** One work, beside its payload. */
export interface WorkOrder {
  readonly id: string;
  readonly action: string;
  readonly sender: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the payload is in this frame, whole. */
  readonly inline: boolean;
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** Characters. */
const MESSAGE = 2_000;
const LABEL = 64;
/** Entries of an error's data, or of a log line and what is in it. */
const ENTRIES = 32;
const ACTIONS = 256;
const DEPTH = 4;
/** What the node's own log lines say of themselves. */
const RESERVED: ReadonlySet<string> = new Set(["level", "time", "pid", "hostname", "msg", "event", "plugin", "node"]);
const CONTENTS: readonly Content[] = ["bytes", "text", "json"];

export function toJson(value: unknown): Uint8Array {
  return utf8(JSON.stringify(value) ?? "null");
}

/** What the other side said. Throws PROTOCOL_ERROR. */
export function fromJson(data: Uint8Array): unknown {
  const text = fromUtf8(data);
  try {
    if (text !== undefined) return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new MeshError("PROTOCOL_ERROR", "what should be JSON is none", { cause });
  }
  throw new MeshError("PROTOCOL_ERROR", "what should be text is none");
}

function record(data: Uint8Array, what: string): Readonly<Record<string, unknown>> {
  const value = fromJson(data);
  if (!isRecord(value)) throw new MeshError("PROTOCOL_ERROR", `${what} is no object`);
  return value;
}

/** What a process says that its plugin is: name, concurrency, and actions that cannot be called here. Throws PLUGIN_INVALID, PROTOCOL_ERROR. */
export function readFacts(data: Uint8Array, label: string): PluginDefinition {
  const { name, concurrency, actions } = record(data, "a plugin's description");
  if (!isRecord(actions) || Object.keys(actions).length > ACTIONS)
    throw new MeshError("PROTOCOL_ERROR", "a plugin with no list of actions");
  const run = (): Promise<never> => Promise.reject(new MeshError("INTERNAL", "an action of another process was called here"));
  const described = Object.entries(actions).map(([action, facts]) => [action, isRecord(facts) ? { ...facts, run } : facts]);
  return checkDefinition({ name, concurrency, actions: Object.fromEntries(described) }, label);
}

export function factsMessage({ name, concurrency, actions }: PluginDefinition): Uint8Array {
  const described = Object.entries(actions).map(([action, definition]) => {
    if (typeof definition === "function") return [action, {}];
    const { idempotent, concurrency: own, deadline } = definition;
    return [action, { idempotent, concurrency: own, deadline }];
  });
  return toJson({ name, concurrency, actions: Object.fromEntries(described) });
}

export function errorMessage({ error, exitCode }: Outcome): Uint8Array {
  if (error === undefined) return toJson({ exitCode });
  const { code, message, data } = error;
  return toJson({ error: { code, message: message.slice(0, MESSAGE), data: boundedData(data) }, exitCode });
}

/** An error, and an exit status, where there are any. Throws PROTOCOL_ERROR. */
export function readOutcome(data: Uint8Array): Outcome {
  const { error, exitCode } = record(data, "an outcome");
  const status = typeof exitCode === "number" && Number.isInteger(exitCode) ? { exitCode } : {};
  if (error === undefined) return status;
  if (!isRecord(error) || typeof error["message"] !== "string" || !isErrorCode(error["code"])) {
    throw new MeshError("PROTOCOL_ERROR", "an error without a code of ours or a message");
  }
  const facts = isRecord(error["data"]) ? boundedData(error["data"]) : {};
  return { error: new MeshError(error["code"], error["message"].slice(0, MESSAGE), { data: facts }), ...status };
}

function boundedData(data: Readonly<Record<string, unknown>>): ErrorData {
  const facts: Record<string, string | number | boolean | readonly string[]> = {};
  for (const [key, value] of Object.entries(data).slice(0, ENTRIES)) {
    const name = key.slice(0, LABEL);
    if (name === "__proto__") continue;
    if (typeof value === "string") facts[name] = value.slice(0, MESSAGE);
    else if (typeof value === "number" || typeof value === "boolean") facts[name] = value;
    else if (Array.isArray(value))
      facts[name] = value
        .filter(isText)
        .slice(0, ENTRIES)
        .map((text) => text.slice(0, MESSAGE));
  }
  return facts;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** A line for the log; what is too long or too deep in it is cut. Throws PROTOCOL_ERROR. */
export function readLog(data: Uint8Array): LogLine {
  const { level, fields, message } = record(data, "a log line");
  if (level !== "debug" && level !== "info" && level !== "warn" && level !== "error") {
    throw new MeshError("PROTOCOL_ERROR", "a log line of no level");
  }
  const cut = isRecord(fields) ? Object.entries(fields).filter(([key]) => !RESERVED.has(key)) : [];
  return { level, fields: bounded(Object.fromEntries(cut.slice(0, ENTRIES)), DEPTH), message: String(message).slice(0, MESSAGE) };
}

function bounded(value: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(value).slice(0, ENTRIES);
  return Object.fromEntries(entries.map(([key, inner]) => [key.slice(0, LABEL), boundedValue(inner, depth - 1)]));
}

function boundedValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.slice(0, MESSAGE);
  if (typeof value !== "object" || value === null) return value;
  if (depth === 0) return "...";
  return Array.isArray(value) ? value.slice(0, ENTRIES).map((inner) => boundedValue(inner, depth - 1)) : bounded(value, depth);
}

/** Text of one frame. Throws PROTOCOL_ERROR. */
export function readMessage(data: Uint8Array): string {
  const text = fromUtf8(data);
  if (text === undefined) throw new MeshError("PROTOCOL_ERROR", "what should be text is none");
  return text.slice(0, MESSAGE);
}

/** What a response is; `content` undefined: a stream of bytes. */
export interface ResponseHead {
  readonly content: Content | undefined;
  readonly channel: string | undefined;
}

/** Content (1 byte), length of the channel's name (1 byte), its name. */
export function responseHead({ content, channel = "" }: ResponseHead): Uint8Array {
  const name = utf8(channel);
  const head = new Uint8Array(2 + name.length);
  head[0] = content === undefined ? CONTENTS.length : CONTENTS.indexOf(content);
  head[1] = name.length;
  head.set(name, 2);
  return head;
}

/** The head, and where the payload begins. Throws PROTOCOL_ERROR. */
export function readResponseHead(data: Uint8Array): { readonly head: ResponseHead; readonly payload: Uint8Array } {
  const [content = 255, length = 255] = data;
  const name = fromUtf8(data.subarray(2, 2 + length));
  if (content > CONTENTS.length || data.length < 2 + length || name === undefined || (length > 0 && !isChannel(name))) {
    throw new MeshError("PROTOCOL_ERROR", "a response that says of itself what cannot be");
  }
  return { head: { content: CONTENTS[content], channel: length === 0 ? undefined : name }, payload: data.subarray(2 + length) };
}
