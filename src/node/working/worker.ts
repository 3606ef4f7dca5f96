import { MeshError, toMeshError } from "../../core/errors.ts";
import type { MessageId, NodeId } from "../../core/ids.ts";
import type { DestinationEvents, WorkRequest } from "../../delivery/ports.ts";
import { WorkAbort } from "../../plugin/abort.ts";
import type { ByteSource, Outcome, StartRequest } from "../../plugin/contract.ts";
import type { PluginHost } from "../../plugin/host.ts";
import type { PluginFacts, WorkEffect, WorkInput } from "../../work/types.ts";
import type { WorkMachine } from "../../work/machine.ts";
import type { WorkState, WorkStatus } from "../api.ts";
import type { Engine } from "../engine/engine.ts";
import { JobSink } from "./job-sink.ts";
import { InlineSource, PayloadStream } from "../../plugin/payload-stream.ts";
import type { Wakeable } from "../engine/agenda.ts";

/** One work: what its plugin is given, and the machine's handle on it. */
export interface Job extends StartRequest {
  readonly directive: string;
  readonly since: number;
  readonly sink: JobSink;
  /** A payload that comes in pieces. */
  readonly payload: PayloadStream | undefined;
  input: ByteSource;
  plugin: string;
  action: string;
}

export interface WorkerOptions {
  readonly machine: WorkMachine<Job>;
  readonly host: PluginHost<Job>;
  /** Throws DENIED where the sender may not ask for it. */
  admit(sender: NodeId, directive: string): void;
  /** May the one have the responses of what the other has sent? */
  mayFollow(asker: NodeId | undefined, sender: NodeId): boolean;
  /** Tells the mesh how much work there is here. */
  onLoad(running: number, queued: number): void;
  onAccepted(id: MessageId, directive: string, peer: NodeId): void;
  onEnded(id: MessageId, directive: string, peer: NodeId, state: WorkState): void;
  onWarning(message: string, error: MeshError): void;
}

/** The working side of a node: what arrives as work is admitted, run by a plugin, and answered. */
export class Worker implements Wakeable {
  readonly #engine: () => Engine;
  readonly #options: WorkerOptions;
  #plugins: ReadonlyMap<string, PluginFacts> = new Map();

  /** `engine` is asked for once the node is whole: the two know each other. */
  constructor(engine: () => Engine, options: WorkerOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  get running(): number {
    return this.#options.machine.running;
  }

  get queued(): number {
    return this.#options.machine.queued;
  }

  list(now: number): readonly WorkStatus[] {
    return [...this.#options.machine.list()].map(({ id, sender, state, handle }) => ({
      id,
      directive: handle.directive,
      role: "worker" as const,
      peer: sender,
      state,
      responses: this.#engine().delivery.destination.responses(id),
      since: Math.round(now - handle.since) / 1000,
    }));
  }

  /** The plugins that may be asked for from now on. */
  setPlugins(plugins: readonly PluginFacts[]): void {
    this.#plugins = new Map(plugins.map((plugin) => [plugin.name, plugin]));
    this.#step({ type: "plugins", plugins });
  }

  /** Takes no new work. */
  drain(): void {
    this.#step({ type: "drain" });
  }

  get idle(): boolean {
    return this.#options.machine.idle;
  }

  get host(): PluginHost<Job> {
    return this.#options.host;
  }

  /** Ends all that runs. */
  abortAll(error: MeshError): void {
    for (const { id } of this.#options.machine.list()) this.#step({ type: "cancel", id, error });
  }

  events(): DestinationEvents {
    return {
      isIdempotent: (directive) => this.#isIdempotent(directive),
      mayFollow: (asker, from) => this.#options.mayFollow(asker, from),
      onRequest: (request) => this.#request(request),
      onConfirm: (id) => this.#step({ type: "confirm", id }),
      onCancel: (id, error) => this.#step({ type: "cancel", id, error }),
      onPayloadBytes: (id, bytes) => this.#job(id)?.payload?.addCopy(bytes),
      onPayloadEnd: (id) => this.#job(id)?.payload?.finish(),
      onResponseWritable: (id) => this.#job(id)?.sink.onWritable(),
    };
  }

  /** A plugin has let go of a work. */
  ended({ id }: Job, { error, exitCode }: Outcome): void {
    this.#step({ type: "ended", id, error, exitCode });
  }

  nextWake(): number | undefined {
    return this.#options.machine.nextWake();
  }

  wake(): void {
    this.#step({ type: "wake" });
  }

  #request(request: WorkRequest): void {
    const engine = this.#engine();
    const { destination } = engine.delivery;
    const now = engine.now();
    const { id, sender, directive, headers, hold, deadline } = request;
    try {
      this.#options.admit(sender, directive);
    } catch (error) {
      return destination.refuse(now, id, toMeshError(error));
    }
    const payload = request.streamed ? new PayloadStream((count) => destination.consumed(id, count)) : undefined;
    const input = new InlineSource(request.payload);
    const sink = new JobSink(id, destination);
    const abort = new WorkAbort();
    const handle: Job = { id, sender, directive, headers, since: now, input, payload, sink, abort, plugin: "", action: "" };
    this.#step({ type: "request", id, handle, sender, directive, hold, deadline }, now);
  }

  #job(id: MessageId): Job | undefined {
    return this.#options.machine.get(id)?.handle;
  }

  #isIdempotent(directive: string): boolean {
    const [plugin = "", action = ""] = directive.split(":");
    return this.#plugins.get(plugin)?.actions.get(action)?.idempotent ?? false;
  }

  #step(input: WorkInput<Job>, now = this.#engine().now()): void {
    const engine = this.#engine();
    for (const effect of this.#options.machine.step(now, input)) this.#apply(now, effect);
    engine.agenda.touch(this);
    engine.poke();
  }

  #apply(now: number, effect: WorkEffect<Job>): void {
    const { destination } = this.#engine().delivery;
    switch (effect.type) {
      case "accepted":
        destination.accept(effect.id);
        return this.#options.onAccepted(effect.id, effect.handle.directive, effect.handle.sender);
      case "refused":
        return destination.refuse(now, effect.id, effect.error);
      case "start":
        return this.#start(effect.handle, effect.plugin, effect.action);
      case "abort":
        return effect.handle.abort.abort(effect.error);
      case "ended":
        return this.#end(now, effect);
      case "ignores-abort": {
        const error = new MeshError("WORK_FAILED", `the work ${effect.id} goes on ${effect.after} ms after it was told to stop`, {
          data: { id: effect.id },
        });
        return this.#options.onWarning("a plugin ignores that its work was ended", error);
      }
      case "load":
        return this.#options.onLoad(effect.running, effect.queued);
    }
  }

  #start(job: Job, plugin: string, action: string): void {
    job.plugin = plugin;
    job.action = action;
    if (job.payload !== undefined) job.input = { stream: job.payload.readable };
    this.#engine().delivery.destination.running(job.id);
    this.#options.host.start(job);
  }

  #end(now: number, { id, handle, state, exitCode, error }: Extract<WorkEffect<Job>, { type: "ended" }>): void {
    handle.payload?.close();
    handle.sink.close();
    this.#engine().delivery.destination.end(now, id, { state, exitCode, error });
    this.#options.onEnded(id, handle.directive, handle.sender, state);
  }
}
