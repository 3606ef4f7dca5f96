import { performance } from "node:perf_hooks";
import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { utf8 } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import type { WorkAbort } from "./abort.ts";
import type { Content, ResponseSink } from "./contract.ts";
import type { ChannelResponse, Payload } from "./definition.ts";
import { Encoded } from "./encoded.ts";
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

/** Whether an action gives its responses one by one, and not one response or a promise of what it gives. */
export function isMany(produced: unknown): produced is Many {
  if (typeof produced !== "object" || produced === null || produced instanceof Readable) return false;
  const many = produced as Partial<Many> & { readonly next?: unknown };
  // A plain generator, and not a list, which is a JSON value.
  return many[Symbol.asyncIterator] !== undefined || (typeof many.next === "function" && many[Symbol.iterator] !== undefined);
}

/**
 * Sends what an action has given, at the pace that its responses are taken; undefined: it has left. Otherwise it settles when the action's code has
 * really ended. After the abort nothing more is pulled or sent, and it rejects with the abort's reason; otherwise with what the action threw.
 */
export function sendAll(produced: unknown, abort: WorkAbort, sink: ResponseSink): Promise<void> | undefined {
  if (isMany(produced)) return drain((produced[Symbol.asyncIterator] ?? produced[Symbol.iterator]).call(produced), abort, sink);
  return produced === undefined ? undefined : send(produced as Item, abort, sink);
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
      ? sink.respond("text", bytesOf(payload), channel)
      : payload instanceof Uint8Array
        ? sink.respond("bytes", payload, channel)
        : sink.respond("json", utf8(toJson(payload)), channel);
  return room ? undefined : readyOrAborted(sink, abort);
}

/** Memory for one short text at a time. */
const TEXT = Buffer.allocUnsafeSlow(1_024);
/** Of a text that is not ASCII a character may take so many bytes. */
const WIDEST = 3;

/** Valid until the next call: a buffer for each text would take twice as long. */
function bytesOf(text: string): Uint8Array {
  if (text.length * WIDEST > TEXT.length) return Buffer.from(text);
  return new Uint8Array(TEXT.buffer, 0, encoder.encodeInto(text, TEXT).written);
}

const encoder = new TextEncoder();

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

/** An iterable of either kind. */
interface Many {
  readonly [Symbol.asyncIterator]?: () => Steps;
  readonly [Symbol.iterator]: () => Steps;
}

function isChannelResponse(value: unknown): value is ChannelResponse {
  return typeof value === "object" && value !== null && CHANNELS.has(value);
}
