import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { ChurnMap } from "../../core/churn-map.ts";
import { utf8 } from "../../core/bytes.ts";
import { MeshError, toMeshError } from "../../core/errors.ts";
import { messageId, nodeId } from "../../core/ids.ts";
import { WorkAbort } from "../abort.ts";
import { factsOf } from "../check.ts";
import type { StartRequest } from "../contract.ts";
import type { PluginDefinition } from "../definition.ts";
import { PluginHost } from "../host.ts";
import { importPlugin } from "../import.ts";
import { parseOptions } from "../options.ts";
import { Channel } from "./channel.ts";
import { ChildLog } from "./child-log.ts";
import { ChildPayload, ChildSink } from "./child-work.ts";
import { closeInherited } from "./descriptors.ts";
import { BOUNDS, type Frame, KIND, readCount } from "./frames.ts";
import { errorMessage, factsMessage, fromJson, type LoadOrder, readOutcome, toJson, type WorkOrder } from "./messages.ts";

/** Milliseconds that works have to stop in when the node has gone. */
const GRACE = 5_000;

/**
 * Ends the process and what it started when its node is gone, also where the plugin holds the main thread. It runs in a thread of its
 * own. Plain JavaScript, because a thread has no loader.
 */
const GUARD = `
const { node, grace } = require("node:worker_threads").workerData;
const timer = setInterval(() => {
  if (process.ppid === node) return;
  clearInterval(timer);
  setTimeout(() => process.kill(-process.pid, "SIGKILL"), grace);
}, 1_000);
`;

interface Running extends StartRequest {
  /** By which the node and this process speak of it. */
  readonly number: number;
  readonly payload: ChildPayload;
  readonly sink: ChildSink;
}

/** The program of a plugin's process: one plugin, whose works the node sends over descriptor 3. */
class PluginProgram {
  readonly #channel: Channel;
  readonly #works = new ChurnMap<number, Running>();
  #host: PluginHost<Running> | undefined;
  #definition: PluginDefinition | undefined;
  #label = "";

  constructor(pipe: Socket) {
    this.#channel = new Channel(pipe, {
      limit: BOUNDS.fromNode,
      onFrame: (frame) => this.#onFrame(frame),
      onBroken: (error) => this.#leave(error),
      onClosed: () => this.#leave(new MeshError("CLOSED", "the node is gone")),
    });
  }

  /** The plugin failed outside of any work; the process ends after this. */
  fault(thrown: unknown): void {
    this.#channel.send(KIND.fault, 0, utf8(toMeshError(thrown).message.slice(0, 1_000)));
    this.#channel.flush();
  }

  #onFrame({ kind, work, data }: Frame): void {
    switch (kind) {
      case KIND.load:
        return this.#answer(this.#load(fromJson(data) as LoadOrder));
      case KIND.start:
        return this.#answer(this.#start(fromJson(data)));
      case KIND.stop:
        return this.#answer(Promise.resolve(this.#definition?.stop?.()).then(() => undefined));
      case KIND.work:
        return this.#work(work, data);
      case KIND.payload:
        return this.#works.get(work)?.payload.add(data);
      case KIND.payloadEnd:
        return this.#works.get(work)?.payload.finish();
      case KIND.payloadFailed:
        return this.#works.get(work)?.payload.fail(readOutcome(data).error ?? new MeshError("STREAM_INCOMPLETE", "the payload broke off"));
      case KIND.credit:
        return this.#works.get(work)?.sink.credit(readCount(data));
      case KIND.abort:
        return this.#works.get(work)?.abort.abort(readOutcome(data).error ?? new MeshError("CANCELLED", "the work was cancelled"));
      default:
        throw new MeshError("PROTOCOL_ERROR", `a frame of kind ${kind}`);
    }
  }

  async #load({ url, label, node, limit }: LoadOrder): Promise<Uint8Array> {
    const definition = await importPlugin(url, label, limit);
    this.#definition = definition;
    this.#label = label;
    this.#host = new PluginHost({
      node: nodeId(node),
      log: new ChildLog(this.#channel),
      onEnded: ({ number, payload, sink }, outcome) => {
        this.#works.delete(number);
        payload.close();
        sink.close();
        this.#channel.send(KIND.ended, number, errorMessage(outcome));
      },
    });
    return factsMessage(definition);
  }

  /** Checks the options, and runs the plugin's start(). */
  async #start(part: unknown): Promise<undefined> {
    const definition = this.#definition;
    if (definition === undefined) throw new MeshError("PROTOCOL_ERROR", "a start before anything was loaded");
    const options = parseOptions(definition, part, this.#label);
    await definition.start?.(options);
    this.#host?.setPlugins(new Map([[definition.name, { definition, options, facts: factsOf(definition, "0.0.0") }]]));
  }

  #answer(done: Promise<Uint8Array | undefined>): void {
    done.then(
      (data) => this.#channel.send(KIND.done, 0, data ?? toJson(null)),
      (thrown: unknown) => this.#channel.send(KIND.refused, 0, errorMessage({ error: toMeshError(thrown, "WORK_FAILED") })),
    );
  }

  #work(number: number, data: Uint8Array): void {
    const length = readCount(data.subarray(0, 4));
    const order = fromJson(data.subarray(4, 4 + length)) as WorkOrder;
    const payload = new ChildPayload(this.#channel, number, order.inline ? data.subarray(4 + length) : undefined);
    const sink = new ChildSink(this.#channel, number);
    const { action, headers } = order;
    const [id, sender] = [messageId(order.id), nodeId(order.sender)];
    const plugin = this.#definition?.name ?? "";
    const running = { number, id, plugin, action, sender, headers, input: payload.source, payload, sink, abort: new WorkAbort() };
    this.#works.set(number, running);
    this.#host?.start(running);
  }

  /** Lets works stop, and ends with all that they started. */
  #leave(why: MeshError): void {
    for (const { abort } of this.#works.values()) abort.abort(why);
    const until = performance.now() + GRACE;
    const look = setInterval(() => {
      if (this.#works.size > 0 && performance.now() < until) return;
      clearInterval(look);
      process.kill(-process.pid, "SIGKILL");
    }, 20);
    if (this.#works.size === 0) process.kill(-process.pid, "SIGKILL");
  }
}

closeInherited();
const program = new PluginProgram(new Socket({ fd: 3 }));
process.on("uncaughtExceptionMonitor", (error) => program.fault(error));
const guarded = { node: Number(process.argv[2]), grace: GRACE + 1_000 };
new Worker(GUARD, { eval: true, workerData: guarded, execArgv: [], env: {} }).unref();
