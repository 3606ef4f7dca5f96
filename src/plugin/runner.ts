import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { utf8 } from "../core/bytes.ts";
import { isErrorCode, isMeshError, MeshError } from "../core/errors.ts";
import type { ResponseSink } from "./contract.ts";
import type { ActionFunction, ChannelResponse, Context, Payload } from "./definition.ts";
import { WorkInput } from "./input.ts";

/** A plugin that only yields must let the node do its other work: after this many milliseconds it is its turn. */
const SLICE = 5;
const LOOK_EVERY = 64;
const CHANNEL = /^[a-z0-9-]{1,32}$/;
const CHANNELS = new WeakSet<object>();

/** Marks a response with the channel it goes out on. Throws INVALID_ARGUMENT for a channel that is no name. */
export function onChannel(payload: Payload, channel: string): ChannelResponse {
  if (!CHANNEL.test(channel)) throw new MeshError("INVALID_ARGUMENT", `"${channel}" is no channel: use 1 to 32 characters of a-z 0-9 -`);
  const response = { payload, channel };
  CHANNELS.add(response);
  return response;
}

/** Runs one action to its end, at the pace that its responses are taken. Rejects with what the plugin threw. */
export async function runAction(run: ActionFunction<unknown>, input: WorkInput, context: Context, sink: ResponseSink): Promise<void> {
  const produced = run(input, context);
  if (isAsyncIterable(produced)) return await drain(produced, context.signal, sink);
  const value = await produced;
  if (value !== undefined) await send(value, context.signal, sink);
}

async function drain(responses: AsyncIterable<Payload | ChannelResponse>, signal: AbortSignal, sink: ResponseSink): Promise<void> {
  const iterator = responses[Symbol.asyncIterator]();
  let turnAt = performance.now() + SLICE;
  let count = 0;
  try {
    for (;;) {
      const next = await iterator.next();
      if (next.done === true) return;
      if (signal.aborted) throw signal.reason;
      await send(next.value, signal, sink);
      if (++count % LOOK_EVERY === 0 && performance.now() > turnAt) {
        await nextTurn();
        turnAt = performance.now() + SLICE;
      }
    }
  } finally {
    // A plugin that is in the middle of something ends when it can; the node does not wait for it here.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

async function send(response: Payload | ChannelResponse, signal: AbortSignal, sink: ResponseSink): Promise<void> {
  const channel = isChannelResponse(response) ? response.channel : undefined;
  const payload = isChannelResponse(response) ? response.payload : response;
  if (payload instanceof Readable) return await sendStream(payload, channel, signal, sink);
  const room =
    typeof payload === "string"
      ? sink.respond("text", utf8(payload), channel)
      : payload instanceof Uint8Array
        ? sink.respond("bytes", payload, channel)
        : sink.respond("json", utf8(toJson(payload)), channel);
  if (!room) await sink.ready();
}

async function sendStream(stream: Readable, channel: string | undefined, signal: AbortSignal, sink: ResponseSink): Promise<void> {
  sink.begin(channel);
  for await (const part of stream) {
    if (signal.aborted) throw signal.reason;
    const bytes = typeof part === "string" ? utf8(part) : part;
    if (!(bytes instanceof Uint8Array)) throw new MeshError("WORK_FAILED", "a streamed response yields bytes or text");
    if (!sink.chunk(bytes)) await sink.ready();
  }
  sink.finish();
}

function toJson(payload: unknown): string {
  const text = JSON.stringify(payload);
  if (text === undefined) throw new MeshError("WORK_FAILED", `a response is text, bytes, a stream or JSON, and not a ${typeof payload}`);
  return text;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<Payload | ChannelResponse> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value && !(value instanceof Readable);
}

function isChannelResponse(value: unknown): value is ChannelResponse {
  return typeof value === "object" && value !== null && CHANNELS.has(value);
}

/** What the sender is told of what a plugin threw: a code, a message, never a stack. */
export function failureOf(thrown: unknown): { readonly error: MeshError; readonly exitCode?: number } {
  const exitCode = exitCodeOf(thrown);
  const withExit = exitCode === undefined ? {} : { exitCode };
  if (isMeshError(thrown)) return { error: thrown, ...withExit };
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown && isErrorCode(thrown.code) ? thrown.code : "WORK_FAILED";
  return { error: new MeshError(code, message === "" ? "the plugin failed without a message" : message), ...withExit };
}

function exitCodeOf(thrown: unknown): number | undefined {
  if (typeof thrown !== "object" || thrown === null || !("exitCode" in thrown)) return undefined;
  return Number.isInteger(thrown.exitCode) ? (thrown.exitCode as number) : undefined;
}
