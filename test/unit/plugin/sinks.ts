import { fromUtf8Lossy } from "../../../src/core/bytes.ts";
import { MeshError } from "../../../src/core/errors.ts";
import { messageId, nodeId, type MessageId } from "../../../src/core/ids.ts";
import { WorkAbort } from "../../../src/plugin/abort.ts";
import { factsOf } from "../../../src/plugin/check.ts";
import type { ByteSource, Content, Outcome, ResponseSink } from "../../../src/plugin/contract.ts";
import type { PluginDefinition } from "../../../src/plugin/definition.ts";
import { PluginHost } from "../../../src/plugin/host.ts";
import { Readable } from "node:stream";

export const ID: MessageId = messageId("0190163d-8694-739b-aea5-966c26f8ad91");

/** Takes `room` responses and chunks, then none until `take()`; it remembers only their text. */
export class SlowSink implements ResponseSink {
  readonly taken: string[] = [];
  /** What was pushed after it said that it is full. */
  overrun = 0;
  #room: number;
  #waiting: (() => void)[] = [];

  constructor(room = Number.POSITIVE_INFINITY) {
    this.#room = room;
  }

  respond(content: Content, payload: Uint8Array, channel: string | undefined): boolean {
    return this.#push(`${content}${channel === undefined ? "" : ` ${channel}`}: ${fromUtf8Lossy(payload)}`);
  }

  begin(channel: string | undefined): void {
    this.taken.push(`begin${channel === undefined ? "" : ` ${channel}`}`);
  }

  chunk(bytes: Uint8Array): boolean {
    return this.#push(`chunk: ${fromUtf8Lossy(bytes)}`);
  }

  finish(): void {
    this.taken.push("finish");
  }

  ready(): Promise<void> {
    if (this.#room > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Makes room for `count` more. */
  take(count: number): void {
    this.#room += count;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  get isWaitedFor(): boolean {
    return this.#waiting.length > 0;
  }

  #push(text: string): boolean {
    if (this.#room <= 0) this.overrun++;
    this.#room--;
    this.taken.push(text);
    return this.#room > 0;
  }
}

export interface Run {
  readonly outcome: Promise<Outcome>;
  readonly host: PluginHost;
  abort(error?: MeshError): void;
}

/** Runs the action `run` of a plugin. */
export function start(run: unknown, sink: ResponseSink, input: Partial<ByteSource> = { inline: new Uint8Array(0) }): Run {
  const definition = { name: "greet", actions: { run } } as PluginDefinition;
  let resolve = (_outcome: Outcome): void => undefined;
  const outcome = new Promise<Outcome>((done) => {
    resolve = done;
  });
  const host = new PluginHost({ node: nodeId("worker"), onEnded: (_, ended) => resolve(ended) });
  host.setPlugins(new Map([["greet", { definition, options: { port: 1 }, facts: factsOf(definition, "1.0.0") }]]));
  const source: ByteSource = { stream: Readable.from([]), ...input };
  const abort = new WorkAbort();
  host.start({ id: ID, plugin: "greet", action: "run", sender: nodeId("controller"), headers: { a: "b" }, input: source, sink, abort });
  return { outcome, host, abort: (error = new MeshError("CANCELLED", "the work was cancelled")) => abort.abort(error) };
}
