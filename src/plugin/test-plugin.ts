import { Readable } from "node:stream";
import { concat, fromUtf8Lossy, utf8 } from "../core/bytes.ts";
import { type ErrorCode, MeshError } from "../core/errors.ts";
import { messageId, nodeId } from "../core/ids.ts";
import { type Logger, SILENT } from "../core/log.ts";
import { WorkAbort } from "./abort.ts";
import { checkDefinition, factsOf } from "./check.ts";
import type { Content, Outcome, ResponseSink } from "./contract.ts";
import type { PluginDefinition } from "./definition.ts";
import { PluginHost, type ReadyPlugin } from "./host.ts";
import { LOAD_LIMIT } from "./import.ts";
import { IsolatedPlugin } from "./isolated/isolated-plugin.ts";
import { settingsOf } from "./settings.ts";

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
  /**
   * The same, response by response, at the pace that they are taken; it throws what the work failed with, and an `exitCode` with it. Who
   * leaves it cancels the work.
   */
  responses(action: string, payload?: TestPayload, options?: TestRunOptions): AsyncGenerator<TestResponse>;
  /** Calls the plugin's stop(), if it has one, and ends its process, if it has one of its own. */
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
 * Runs a plugin as a node would, without a mesh. Throws PLUGIN_INVALID where it is no plugin, and what its schema throws. Given the file that
 * exports it, as a URL, the plugin runs in a process of its own until `stop()`; then start() and the first work reject with those.
 *
 * ```ts
 * const { responses, result } = await testPlugin(plugin).run("run", "world");
 * expect(responses.map((response) => response.text())).toEqual(["hello world"]);
 * ```
 */
export function testPlugin<Options>(
  plugin: PluginDefinition<Options> | URL,
  { options = {}, headers = {}, log = SILENT }: TestPluginOptions = {},
): TestPlugin {
  const under = plugin instanceof URL ? new ApartUnderTest(plugin, options, log) : new HereUnderTest(plugin, options);
  const begin = async (action: string, payload: TestPayload, run: TestRunOptions, sink: Collector): Promise<Begun> => {
    const ready = await under.ready();
    const { name } = ready.definition;
    if (!ready.facts.actions.has(action)) throw new MeshError("UNKNOWN_ACTION", `plugin "${name}" has no action "${action}"`);
    let end = (_outcome: Outcome): void => undefined;
    const outcome = new Promise<Outcome>((resolve) => {
      end = resolve;
    });
    const host = new PluginHost({ node: nodeId("worker"), log, onEnded: (_, ended) => end(ended) });
    host.setPlugins(new Map([[name, ready]]));
    const input =
      payload instanceof Readable
        ? { stream: Readable.from(bytesIn(payload), { objectMode: false }) }
        : { inline: bytesOf(payload), stream: streamOf(payload) };
    const sender = nodeId("controller");
    const stop = new WorkAbort();
    host.start({ id: WORK, plugin: name, action, sender, headers: { ...headers, ...run.headers }, input, sink, abort: stop });
    const abort = (): void => stop.abort(cancelled(run.signal?.reason));
    if (run.signal?.aborted === true) abort();
    else run.signal?.addEventListener("abort", abort, { once: true });
    return { outcome, abort };
  };
  return {
    start: async () => await under.start(),
    stop: async () => await under.stop(),
    run: async (action, payload = "", run = {}) => {
      const sink = new Collector();
      const { outcome } = await begin(action, payload, run, sink);
      return { responses: sink.responses, result: resultOf(await outcome) };
    },
    async *responses(action, payload = "", run = {}) {
      const sink = new Collector(true);
      const { outcome, abort } = await begin(action, payload, run, sink);
      void outcome.then(() => sink.end());
      try {
        for (let at = 0; ; at++) {
          while (sink.responses.length <= at && !sink.ended) await sink.change();
          const response = sink.responses[at];
          if (response === undefined) break;
          yield response;
          sink.release();
        }
      } finally {
        if (!sink.ended) abort();
        sink.release();
      }
      const { error, exitCode } = await outcome;
      if (error !== undefined) throw exitCode === undefined ? error : Object.assign(error, { exitCode });
    },
  };
}

interface Begun {
  readonly outcome: Promise<Outcome>;
  abort(): void;
}

/** A plugin that is tested, wherever it runs. */
interface UnderTest {
  /** Ready to run, and started where it must be. */
  ready(): Promise<ReadyPlugin>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

class HereUnderTest<Options> implements UnderTest {
  readonly #ready: ReadyPlugin;

  constructor(plugin: PluginDefinition<Options>, given: unknown) {
    const definition = checkDefinition(plugin, "the plugin under test");
    const options = definition.options === undefined ? given : definition.options.parse(given);
    this.#ready = { definition, options, facts: factsOf(definition, "0.0.0") };
  }

  ready(): Promise<ReadyPlugin> {
    return Promise.resolve(this.#ready);
  }

  async start(): Promise<void> {
    await this.#ready.definition.start?.(this.#ready.options);
  }

  async stop(): Promise<void> {
    await this.#ready.definition.stop?.();
  }
}

class ApartUnderTest implements UnderTest {
  readonly #file: URL;
  readonly #options: unknown;
  readonly #log: Logger;
  #loaded: Promise<ReadyPlugin> | undefined;

  constructor(file: URL, options: unknown, log: Logger) {
    this.#file = file;
    this.#options = options;
    this.#log = log;
  }

  ready(): Promise<ReadyPlugin> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  async start(): Promise<void> {
    await this.ready();
  }

  async stop(): Promise<void> {
    await (await this.#loaded)?.definition.stop?.();
  }

  async #load(): Promise<ReadyPlugin> {
    const { definition } = await IsolatedPlugin.load({
      url: this.#file.href,
      label: "the plugin under test",
      node: "worker",
      isolation: settingsOf(undefined).isolation,
      log: this.#log,
      limit: LOAD_LIMIT,
    });
    await definition.start?.(this.#options);
    return { definition, options: this.#options, facts: factsOf(definition, "0.0.0") };
  }
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
  /** Whether each response waits until the one before it was taken. */
  readonly #paced: boolean;
  #waiting: (() => void)[] = [];
  #told: (() => void)[] = [];
  #ended = false;
  #open: { readonly channel: string | undefined; readonly whole: Content | undefined; readonly parts: Uint8Array[] } | undefined;

  constructor(paced = false) {
    this.#paced = paced;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The work is over. */
  end(): void {
    this.#ended = true;
    this.release();
  }

  /** The last response was taken, or nothing more is. */
  release(): void {
    for (const resolve of [...this.#waiting.splice(0), ...this.#told.splice(0)]) resolve();
  }

  /** Resolves at the next response, and at `release()`. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#told.push(resolve));
  }

  respond(content: Content, payload: Uint8Array, channel: string | undefined): boolean {
    this.#add(content, payload, channel, false);
    return !this.#paced;
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
    return this.#paced ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  #add(content: Content, bytes: Uint8Array, channel: string | undefined, streamed: boolean): void {
    const copy = bytes.slice();
    const text = (): string => fromUtf8Lossy(copy);
    const json = (): unknown => JSON.parse(text());
    const payload: unknown = content === "bytes" ? copy : content === "text" ? text() : json();
    this.responses.push({ serial: this.responses.length + 1, channel, streamed, payload, bytes: () => copy, text, json });
    for (const resolve of this.#told.splice(0)) resolve();
  }
}
