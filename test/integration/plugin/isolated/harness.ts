import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { Readable } from "node:stream";
import { MeshError } from "../../../../src/core/errors.ts";
import { messageId, nodeId, type MessageId } from "../../../../src/core/ids.ts";
import type { Logger } from "../../../../src/core/log.ts";
import { WorkAbort } from "../../../../src/plugin/abort.ts";
import { factsOf } from "../../../../src/plugin/check.ts";
import type { Content, Outcome, ResponseSink } from "../../../../src/plugin/contract.ts";
import { PluginHost } from "../../../../src/plugin/host.ts";
import { IsolatedPlugin, type IsolatedOptions } from "../../../../src/plugin/isolated/isolated-plugin.ts";
import { DEFAULT_MEMORY, type Isolation } from "../../../../src/plugin/isolated/isolation.ts";
import type { Secrets } from "../../../../src/plugin/isolated/launch.ts";
import { Workshop } from "../fixture.ts";

export interface BenchOptions extends Partial<Isolation> {
  readonly secrets?: Secrets;
  readonly part?: unknown;
  readonly abortLimit?: number;
  readonly limit?: number;
}

/** Takes responses as long as `paused` is false. */
export class TestSink implements ResponseSink {
  readonly responses: { readonly content: Content; readonly channel: string | undefined; text: string; bytes: number }[] = [];
  /** Bytes of every response and chunk. */
  bytes = 0;
  #paused = false;
  #waiting: (() => void)[] = [];
  readonly #onChunk: ((bytes: Uint8Array) => void) | undefined;
  #open: { content: Content; channel: string | undefined; text: string; bytes: number } | undefined;

  constructor({ paused = false, onChunk }: { readonly paused?: boolean; readonly onChunk?: (bytes: Uint8Array) => void } = {}) {
    this.#paused = paused;
    this.#onChunk = onChunk;
  }

  respond(content: Content, payload: Uint8Array, channel: string | undefined): boolean {
    this.bytes += payload.length;
    this.responses.push({ content, channel, text: Buffer.from(payload).toString(), bytes: payload.length });
    return !this.#paused;
  }

  begin(channel: string | undefined, whole?: Content): void {
    this.#open = { content: whole ?? "bytes", channel, text: "", bytes: 0 };
  }

  chunk(bytes: Uint8Array): boolean {
    this.bytes += bytes.length;
    if (this.#open !== undefined) this.#open.bytes += bytes.length;
    this.#onChunk?.(bytes);
    return !this.#paused;
  }

  finish(): void {
    if (this.#open !== undefined) this.responses.push(this.#open);
    this.#open = undefined;
  }

  ready(): Promise<void> {
    return this.#paused ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Room for one more. */
  step(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export interface Run {
  readonly sink: TestSink;
  readonly outcome: Promise<Outcome>;
  abort(error?: MeshError): void;
}

/** One plugin, written by the test, in a process of its own, and a host that runs works on it. */
export class Bench implements AsyncDisposable {
  readonly plugin: IsolatedPlugin;
  readonly logged: { readonly level: string; readonly fields: Readonly<Record<string, unknown>>; readonly message: string }[];
  readonly workshop: Workshop;
  readonly #host: PluginHost;
  readonly #ends = new Map<MessageId, (outcome: Outcome) => void>();
  #count = 0;

  private constructor(workshop: Workshop, plugin: IsolatedPlugin, log: Logger, logged: Bench["logged"]) {
    this.workshop = workshop;
    this.plugin = plugin;
    this.logged = logged;
    this.#host = new PluginHost({ node: nodeId("worker"), log, onEnded: ({ id }, outcome) => this.#ends.get(id)?.(outcome) });
    const { definition } = plugin;
    this.#host.setPlugins(new Map([[definition.name, { definition, options: {}, facts: factsOf(definition, "1.0.0") }]]));
  }

  /** `actions`: the inside of an object of actions, as JavaScript. */
  static async open(actions: string, options: BenchOptions = {}, more = ""): Promise<Bench> {
    const workshop = await Workshop.open();
    if (options.user !== undefined) await workshop.share();
    const head = `import { Readable } from "node:stream"; import fs from "node:fs"; import { createHash } from "node:crypto"; import { setTimeout as sleep } from "node:timers/promises"; import { spawnSync } from "node:child_process";`;
    const file = await workshop.write("plugin.mjs", `${head}\nexport default { name: "it", actions: { ${actions} }, ${more} };\n`);
    const logged: Bench["logged"] = [];
    const log = logTo(logged);
    const { part = {}, abortLimit, limit = 20_000, memory = DEFAULT_MEMORY, time, environment = [], hide, user, secrets } = options;
    const how: IsolatedOptions = {
      url: pathToFileURL(file).href,
      label: "it",
      node: "worker",
      isolation: { memory, time, environment, hide, user },
      ...(secrets !== undefined && { secrets }),
      log,
      limit,
      ...(abortLimit === undefined ? {} : { abortLimit }),
    };
    const plugin = await IsolatedPlugin.load(how);
    await plugin.definition.start?.(part);
    return new Bench(workshop, plugin, log, logged);
  }

  start(action: string, payload: string | Readable = "", sink = new TestSink()): Run {
    const id = messageId(`0190163d-8694-739b-aea5-${String(++this.#count).padStart(12, "0")}`);
    const outcome = new Promise<Outcome>((resolve) => this.#ends.set(id, resolve));
    const input =
      typeof payload === "string"
        ? { inline: Buffer.from(payload), stream: Readable.from([Buffer.from(payload)], { objectMode: false }) }
        : { stream: payload };
    const abort = new WorkAbort();
    this.#host.start({ id, plugin: "it", action, sender: nodeId("controller"), headers: { a: "b" }, input, sink, abort });
    return { sink, outcome, abort: (error = new MeshError("CANCELLED", "the work was cancelled")) => abort.abort(error) };
  }

  /** The texts that a work answered; rejects with its error. */
  async ask(action: string, payload = ""): Promise<string[]> {
    const { sink, outcome } = this.start(action, payload);
    const { error } = await outcome;
    if (error !== undefined) throw error;
    return sink.responses.map(({ text }) => text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.plugin.close();
    await this.workshop[Symbol.asyncDispose]();
  }
}

function logTo(lines: { level: string; fields: Readonly<Record<string, unknown>>; message: string }[]): Logger {
  const write = (level: string) => (fields: object, message: string) => void lines.push({ level, fields: { ...fields }, message });
  const log: Logger = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error"), child: () => log };
  return log;
}

/** Also false for what has ended, and whose parent has not asked how: in a container often nobody does. */
export function isAlive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}
