import type { Readable } from "node:stream";

/** Anything that turns a plugin's part of the configuration into its options, or throws; a zod schema does. */
export interface OptionsSchema<Options> {
  parse(value: unknown): Options;
}

/** The payload of a work. Each of the five ways to read it may be called once, and only one of them. */
export interface Input {
  /** Its bytes, where the whole payload came with the message: `bytes()` then waits for nothing. Undefined: it arrives as a stream. */
  readonly length?: number | undefined;
  /** The whole payload, at most `limit` bytes (default 64 MiB; TOO_LARGE beyond). */
  bytes(limit?: number): Promise<Uint8Array>;
  /** The whole payload as UTF-8; what is not UTF-8 becomes U+FFFD. */
  text(limit?: number): Promise<string>;
  /** The whole payload parsed as JSON; an empty one is undefined. Rejects with INVALID_ARGUMENT where it is no JSON. */
  json(limit?: number): Promise<unknown>;
  /** The payload as it arrives, with back-pressure; it ends when the sender ends it. */
  stream(): Readable;
  /** The payload in a temporary file, which is removed when the work ends; its path. */
  file(): Promise<string>;
}

/** Where an action logs; fields first, then a short constant message. */
export interface PluginLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What one response may be. */
export type Payload = string | Uint8Array | Readable | { readonly [key: string]: unknown } | readonly unknown[] | number | boolean | null;

/** A response with a channel, for an action that has more than one output (a process's stdout and stderr). */
export interface ChannelResponse {
  readonly payload: Payload;
  /** 1 to 32 characters of `a-z 0-9 -`. */
  readonly channel: string;
}

export interface Context<Options = unknown> {
  /** The work's id. */
  readonly id: string;
  /** The node that runs it. */
  readonly node: string;
  /** The node that sent it. */
  readonly sender: string;
  readonly plugin: string;
  readonly action: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly options: Options;
  /** Aborted at cancel, at the deadline, and when the node stops; its reason is a MeshError. */
  readonly signal: AbortSignal;
  readonly log: PluginLog;
  /** Yield what this returns to send a response on a channel. */
  respond(payload: Payload, channel: string): ChannelResponse;
}

/** Runs one work. Each yield is one response; returning ends it as succeeded, throwing as failed. */
export type ActionFunction<Options> = (
  input: Input,
  context: Context<Options>,
) => Responses | Promise<Responses | Payload | undefined | void>;

/** What gives the responses one by one. A plain generator is the fastest, for an action that waits for nothing between them. */
export type Responses = AsyncIterable<Payload | ChannelResponse> | Generator<Payload | ChannelResponse, unknown>;

export interface ActionDefinition<Options> {
  readonly run: ActionFunction<Options>;
  /** May run again where a restart left open whether it had run. Default false. */
  readonly idempotent?: boolean;
  /** How many at once; default: the node's limit. */
  readonly concurrency?: number;
  /** Milliseconds that one work may take; default: no limit. The sender's deadline counts too; the earlier one holds. */
  readonly deadline?: number;
}

export interface PluginDefinition<Options = unknown> {
  /** 1 to 64 characters of `a-z 0-9 -`; the part before the colon of its directives. */
  readonly name: string;
  readonly options?: OptionsSchema<Options>;
  /** By name: 1 to 64 characters of `a-z A-Z 0-9 - _`. */
  readonly actions: Readonly<Record<string, ActionFunction<Options> | ActionDefinition<Options>>>;
  /** How many works of this plugin at once; default: the node's limit. */
  readonly concurrency?: number;
  /** Before the first work. Rejecting keeps the plugin out. */
  start?(options: Options): void | Promise<void>;
  /** After the last work. */
  stop?(): void | Promise<void>;
}

/** Gives a plugin its type, and returns it as it is. */
export function definePlugin<Options = unknown>(definition: PluginDefinition<Options>): PluginDefinition<Options> {
  return definition;
}

/** The major version of this interface; a plugin's package.json says `"receptor": { "api": "^1" }`. */
export const PLUGIN_API = "1.0.0";
