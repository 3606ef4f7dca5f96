import { Readable } from "node:stream";
import { afterAll } from "vitest";
import type { ChannelResponse, Context, Input, Payload, PluginDefinition, Responses } from "receptor-mesh/plugin";
import { type TestPlugin, testPlugin } from "receptor-mesh/testing";

export interface RunOptions {
  readonly options?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** A response, with what a stream held gathered to bytes. */
export interface Received {
  readonly payload: unknown;
  readonly channel: string | undefined;
  readonly streamed: boolean;
}

/** Every test runs twice: on the plugin in this process, and on one in a process of its own. */
const APART = process.env["ISOLATED_PLUGINS"] === "1";
/** The processes that were started, by the options that they have. */
const apart = new Map<string, TestPlugin>();
afterAll(async () => {
  await Promise.all([...apart.values()].map((plugin) => plugin.stop()));
});

/** Whether an action ended because of its signal: with the very reason, or, from another process, with what stands for it. */
export function isEndedBy(reason: Error): (error: unknown) => boolean {
  return (error) => (APART ? error instanceof Error && "code" in error && error.code === "CANCELLED" : error === reason);
}

async function* runApart(name: string, action: string, payload: string | Uint8Array | Readable, run: RunOptions): AsyncGenerator<Received> {
  const { options = {}, headers = {}, signal } = run;
  const key = `${name} ${JSON.stringify(options)}`;
  const plugin = apart.get(key) ?? testPlugin(new URL(`../../plugins/${name}/src/index.ts`, import.meta.url), { options });
  apart.set(key, plugin);
  for await (const { payload: answer, channel, streamed } of plugin.responses(action, payload, {
    headers,
    ...(signal === undefined ? {} : { signal }),
  })) {
    yield { payload: answer instanceof Uint8Array ? Buffer.from(answer) : answer, channel, streamed };
  }
}

/** Runs one action as a node would with a work, and yields its responses. */
export async function* runAction<Options>(
  plugin: PluginDefinition<Options>,
  action: string,
  payload: string | Uint8Array | Readable,
  more: RunOptions = {},
): AsyncGenerator<Received> {
  if (APART) return yield* runApart(plugin.name, action, payload, more);
  const { options, headers = {}, signal = new AbortController().signal } = more;
  const found = plugin.actions[action];
  if (found === undefined) throw new Error(`no action ${action}`);
  const call = typeof found === "function" ? found : found.run;
  const quiet = (): void => undefined;
  const context: Context<Options> = {
    id: "0190163d-8694-739b-aea5-966c26f8ad91",
    node: "worker",
    sender: "controller",
    plugin: plugin.name,
    action,
    headers,
    options: plugin.options === undefined ? (options as Options) : plugin.options.parse(options),
    signal,
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    respond: (response, channel) => ({ payload: response, channel }),
  };
  const result = await call(inputOf(payload), context);
  if (result === undefined) return;
  if (isResponses(result)) for await (const response of result) yield await receive(response);
  else yield await receive(result);
}

function isResponses(result: Responses | Payload | void): result is Responses {
  if (typeof result !== "object" || result === null || result instanceof Readable) return false;
  return Symbol.asyncIterator in result || "next" in result;
}

async function receive(response: Payload | ChannelResponse): Promise<Received> {
  const split = isChannelResponse(response) ? response : { payload: response, channel: undefined };
  const streamed = split.payload instanceof Readable;
  const payload = split.payload instanceof Readable ? await gather(split.payload) : split.payload;
  return { payload, channel: split.channel, streamed };
}

function isChannelResponse(response: Payload | ChannelResponse): response is ChannelResponse {
  return typeof response === "object" && response !== null && "channel" in response && "payload" in response;
}

function inputOf(payload: string | Uint8Array | Readable): Input {
  const stream =
    payload instanceof Readable ? payload : Readable.from(payload.length === 0 ? [] : [Buffer.from(payload)], { objectMode: false });
  const text = async (): Promise<string> => (await gather(stream)).toString();
  return {
    bytes: () => gather(stream),
    text,
    async json() {
      const whole = await text();
      return whole === "" ? undefined : JSON.parse(whole);
    },
    stream: () => stream,
    file: () => Promise.reject(new Error("no files here")),
  };
}

async function gather(stream: Readable): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** All responses of an action, to the end. */
export async function collect(responses: AsyncIterable<Received>): Promise<Received[]> {
  const all: Received[] = [];
  for await (const response of responses) all.push(response);
  return all;
}
