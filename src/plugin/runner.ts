import { performance } from "node:perf_hooks";
import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { utf8 } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import type { WorkAbort } from "./abort.ts";
import type { Content, ResponseSink } from "./contract.ts";
import type { ActionFunction, ChannelResponse, Context, Payload } from "./definition.ts";
import { Encoded } from "./encoded.ts";
import type { WorkInput } from "./input.ts";
import { piecesOf } from "./pieces.ts";

/** A plugin that only yields must let the node do its other work: after this many milliseconds it is its turn. */
const SLICE = 5;
/** While responses come fast, the clock is looked at for one of so many. */
const GLANCE = 8;
const CHANNEL = /^[a-z0-9-]{1,32}$/;
const CHANNELS = new WeakSet<object>();

type Item = Payload | ChannelResponse;

export function isChannel(name: string): boolean {
  return CHANNEL.test(name);
}

/** Marks a response with the channel it goes out on. Throws INVALID_ARGUMENT for a channel that is no name. */
export function onChannel(payload: Payload, channel: string): ChannelResponse {
  if (!isChannel(channel)) throw new MeshError("INVALID_ARGUMENT", `"${channel}" is no channel: use 1 to 32 characters of a-z 0-9 -`);
  const response = { payload, channel };
  CHANNELS.add(response);
  return response;
}

/**
 * Runs one action, at the pace that its responses are taken, and settles when its code has really ended. After the
 * abort nothing more is pulled or sent, and it rejects with the abort's reason; otherwise it rejects with what the action threw.
 */
export async function runAction(
  run: ActionFunction<unknown>,
  input: WorkInput,
  context: Context,
  abort: WorkAbort,
  sink: ResponseSink,
): Promise<void> {
  abort.throwIfAborted();
  try {
    const produced: unknown = run(input, context);
    const steps = stepsOf(produced);
    if (steps !== undefined) return await drain(steps, abort, sink);
    const value: unknown = await produced;
    abort.throwIfAborted();
    const later = stepsOf(value);
    if (later !== undefined) return await drain(later, abort, sink);
    if (value !== undefined) await send(value as Item, abort, sink);
  } catch (error) {
    // What an action throws because it was told to stop says less than why it was.
    abort.throwIfAborted();
    throw error;
  }
}

async function drain(iterator: Steps, abort: WorkAbort, sink: ResponseSink): Promise<void> {
  // An action that waits inside next() may be one that ends at return(); a generator does so when it comes to its next yield.
  let returned: Promise<unknown> | undefined;
  const end = (): void => {
    returned ??= (async () => iterator.return?.())().catch(() => undefined);
  };
  abort.onAbort(end);
  let turnAt = performance.now() + SLICE;
  let seenAt = -Infinity;
  let unseen = 0;
  let done = false;
  try {
    for (;;) {
      const step = iterator.next();
      // A plain generator has its next value at once: a promise for each would take longer than to send it.
      const next = "then" in step ? await step : step;
      done = next.done === true;
      abort.throwIfAborted();
      if (next.done === true) return;
      // Awaited only where it has to wait: most responses just leave.
      const sending = send(next.value, abort, sink);
      if (sending !== undefined) await sending;
      if (unseen-- > 0) continue;
      const now = performance.now();
      unseen = now - seenAt < SLICE / GLANCE ? GLANCE : 0;
      seenAt = now;
      if (now < turnAt) continue;
      await nextTurn();
      seenAt = performance.now();
      turnAt = seenAt + SLICE;
    }
  } finally {
    abort.offAbort(end);
    if (!done) end();
    // Its place is taken until its last `finally` has run.
    if (returned !== undefined) await returned;
  }
}

/** Undefined: it has left. */
function send(response: Item, abort: WorkAbort, sink: ResponseSink): Promise<void> | undefined {
  // Bytes are what a plugin yields by the hundred thousand.
  if (response instanceof Uint8Array) return sink.respond("bytes", response, undefined) ? undefined : readyOrAborted(sink, abort);
  if (response instanceof Encoded) return sendEncoded(response, abort, sink);
  const isNamed = isChannelResponse(response);
  const channel = isNamed ? response.channel : undefined;
  const payload = isNamed ? response.payload : response;
  if (payload instanceof Readable) return sendStream(payload, undefined, channel, abort, sink);
  const room =
    typeof payload === "string"
      ? sink.respond("text", Buffer.from(payload), channel)
      : payload instanceof Uint8Array
        ? sink.respond("bytes", payload, channel)
        : sink.respond("json", utf8(toJson(payload)), channel);
  return room ? undefined : readyOrAborted(sink, abort);
}

function sendEncoded({ content, channel, payload }: Encoded, abort: WorkAbort, sink: ResponseSink): Promise<void> | undefined {
  const named = channel === "" ? undefined : channel;
  if (!(payload instanceof Uint8Array)) return sendStream(payload, content, named, abort, sink);
  return sink.respond(content ?? "bytes", payload, named) ? undefined : readyOrAborted(sink, abort);
}

/** `content`: what the bytes are all together; undefined: they are a stream. */
async function sendStream(
  stream: Readable,
  content: Content | undefined,
  channel: string | undefined,
  abort: WorkAbort,
  sink: ResponseSink,
): Promise<void> {
  const stop = (): void => void stream.destroy(abort.reason);
  abort.onAbort(stop);
  sink.begin(channel, content);
  try {
    for await (const part of piecesOf(stream)) {
      abort.throwIfAborted();
      const bytes: unknown = typeof part === "string" ? utf8(part) : part;
      if (!(bytes instanceof Uint8Array)) throw new MeshError("WORK_FAILED", "a streamed response yields bytes or text");
      if (!sink.chunk(bytes)) await readyOrAborted(sink, abort);
    }
    abort.throwIfAborted();
    sink.finish();
  } finally {
    abort.offAbort(stop);
  }
}

/** The sink of a work that is aborted may never have room again. */
async function readyOrAborted(sink: ResponseSink, abort: WorkAbort): Promise<void> {
  abort.throwIfAborted();
  let stop = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
  });
  abort.onAbort(stop);
  try {
    await Promise.race([sink.ready(), aborted]);
  } finally {
    abort.offAbort(stop);
  }
  abort.throwIfAborted();
}

function toJson(payload: unknown): string {
  const text = JSON.stringify(payload);
  if (text === undefined)
    throw new MeshError("WORK_FAILED", `a response is text, bytes, a stream or JSON, and not a value of type ${typeof payload}`);
  return text;
}

/** What a generator of either kind, or another iterator that can be awaited, has. */
interface Steps {
  next(): Promise<IteratorResult<Item, unknown>> | IteratorResult<Item, unknown>;
  return?(): unknown;
}

/** Undefined for what is one response: a value, a promise of it, a stream. */
function stepsOf(produced: unknown): Steps | undefined {
  if (typeof produced !== "object" || produced === null || produced instanceof Readable) return undefined;
  const steps = produced as { [Symbol.asyncIterator]?: () => Steps; [Symbol.iterator]?: () => Steps; next?: unknown };
  if (steps[Symbol.asyncIterator] !== undefined) return steps[Symbol.asyncIterator]?.();
  // A plain generator, and not a list, which is a JSON value.
  return typeof steps.next === "function" ? steps[Symbol.iterator]?.() : undefined;
}

function isChannelResponse(value: unknown): value is ChannelResponse {
  return typeof value === "object" && value !== null && CHANNELS.has(value);
}
