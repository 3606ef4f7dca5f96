import { Readable } from "node:stream";
import { concat, fromUtf8Lossy, utf8 } from "../core/bytes.ts";
import { type ErrorCode, MeshError } from "../core/errors.ts";
import { messageId, nodeId } from "../core/ids.ts";
import { type Logger, SILENT } from "../core/log.ts";
import { checkDefinition, factsOf } from "./check.ts";
import type { Content, Outcome, ResponseSink } from "./contract.ts";
import type { PluginDefinition } from "./definition.ts";
import { PluginHost } from "./host.ts";

/** One response as a sender would get it. A streamed one is gathered. */
export interface TestResponse {
  /** From 1. */
  readonly serial: number;
  readonly channel: string | undefined;
  readonly streamed: boolean;
  /** Text, bytes or a JSON value, as the plugin yielded it; bytes where it was streamed. */
  readonly payload: unknown;
  bytes(): Uint8Array;
  text(): string;
  json(): unknown;
}

export interface TestResult {
  readonly state: "succeeded" | "failed" | "cancelled";
  readonly error: MeshError | undefined;
  /** The error's code, for brevity in expectations. */
  readonly code: ErrorCode | undefined;
  readonly exitCode: number | undefined;
}

export interface TestRun {
  readonly responses: readonly TestResponse[];
  readonly result: TestResult;
}

export interface TestPluginOptions {
  /** The plugin's part of the configuration, before its schema. */
  readonly options?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where the plugin logs; default: nowhere. */
  readonly log?: Logger;
}

export interface TestRunOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Its abort cancels the work, as a sender or a deadline would. */
  readonly signal?: AbortSignal;
}

export interface TestPlugin {
  /** Calls the plugin's start(), if it has one. */
  start(): Promise<void>;
  /** Runs one work to its end. It rejects only with UNKNOWN_ACTION: what the plugin throws is in `result`. */
  run(action: string, payload?: TestPayload, options?: TestRunOptions): Promise<TestRun>;
  /** Calls the plugin's stop(), if it has one. */
  stop(): Promise<void>;
}

/** Text, bytes, a stream of bytes, or a JSON value. */
export type TestPayload =
  | string
  | Uint8Array
  | Readable
  | { readonly [key: string]: unknown }
  | readonly unknown[]
  | number
  | boolean
  | null;

/**
 * Runs a plugin as a node would, without a mesh. Throws PLUGIN_INVALID where it is no plugin, and what its schema throws.
 *
 * ```ts
 * const { responses, result } = await testPlugin(plugin).run("run", "world");
 * expect(responses.map((response) => response.text())).toEqual(["hello world"]);
 * ```
 */
export function testPlugin<Options>(
  plugin: PluginDefinition<Options>,
  { options = {}, headers = {}, log = SILENT }: TestPluginOptions = {},
): TestPlugin {
  const definition = checkDefinition(plugin, "the plugin under test");
  const parsed = definition.options === undefined ? options : definition.options.parse(options);
  const facts = factsOf(definition, "0.0.0");
  return {
    start: async () => await definition.start?.(parsed),
    stop: async () => await definition.stop?.(),
    run: async (action, payload = "", run = {}) => {
      if (!facts.actions.has(action)) throw new MeshError("UNKNOWN_ACTION", `plugin "${definition.name}" has no action "${action}"`);
      const sink = new Collector();
      const { signal } = run;
      const outcome = await new Promise<Outcome>((resolve) => {
        const host = new PluginHost({ node: nodeId("worker"), log, onEnded: (_, ended) => resolve(ended) });
        host.setPlugins(new Map([[definition.name, { definition, options: parsed, facts }]]));
        host.start({
          id: WORK,
          plugin: definition.name,
          action,
          sender: nodeId("controller"),
          headers: { ...headers, ...run.headers },
          input:
            payload instanceof Readable
              ? { stream: Readable.from(bytesIn(payload), { objectMode: false }) }
              : { inline: bytesOf(payload), stream: streamOf(payload) },
          sink,
        });
        const abort = (): void => host.abort(WORK, cancelled(signal?.reason));
        if (signal?.aborted === true) abort();
        else signal?.addEventListener("abort", abort, { once: true });
      });
      return { responses: sink.responses, result: resultOf(outcome) };
    },
  };
}

const WORK = messageId("0190163d-8694-739b-aea5-966c26f8ad91");

function bytesOf(payload: Exclude<TestPayload, Readable>): Uint8Array {
  if (typeof payload === "string") return utf8(payload);
  return payload instanceof Uint8Array ? payload : utf8(JSON.stringify(payload));
}

/** A network has only bytes, whatever the test's stream has. */
async function* bytesIn(stream: Readable): AsyncGenerator<Uint8Array> {
  for await (const part of stream) yield part instanceof Uint8Array ? part : utf8(String(part));
}

function streamOf(payload: Exclude<TestPayload, Readable>): Readable {
  const bytes = bytesOf(payload);
  return Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false });
}

function cancelled(reason: unknown): MeshError {
  return reason instanceof MeshError ? reason : new MeshError("CANCELLED", "the work was cancelled");
}

function resultOf({ error, exitCode }: Outcome): TestResult {
  const state = error === undefined ? "succeeded" : error.code === "CANCELLED" ? "cancelled" : "failed";
  return { state, error, code: error?.code, exitCode };
}

class Collector implements ResponseSink {
  readonly responses: TestResponse[] = [];
  #open: { readonly channel: string | undefined; readonly whole: Content | undefined; readonly parts: Uint8Array[] } | undefined;

  respond(content: Content, payload: Uint8Array, channel: string | undefined): boolean {
    this.#add(content, payload, channel, false);
    return true;
  }

  begin(channel: string | undefined, whole?: Content): void {
    this.#open = { channel, whole, parts: [] };
  }

  chunk(bytes: Uint8Array): boolean {
    this.#open?.parts.push(bytes.slice());
    return true;
  }

  finish(): void {
    if (this.#open !== undefined) {
      const { channel, whole, parts } = this.#open;
      this.#add(whole ?? "bytes", concat(parts), channel, whole === undefined);
    }
    this.#open = undefined;
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  #add(content: Content, bytes: Uint8Array, channel: string | undefined, streamed: boolean): void {
    const copy = bytes.slice();
    const text = (): string => fromUtf8Lossy(copy);
    const json = (): unknown => JSON.parse(text());
    const payload: unknown = content === "bytes" ? copy : content === "text" ? text() : json();
    this.responses.push({ serial: this.responses.length + 1, channel, streamed, payload, bytes: () => copy, text, json });
  }
}
