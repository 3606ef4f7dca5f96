import { ChurnMap } from "../../core/churn-map.ts";
import { MeshError, toMeshError } from "../../core/errors.ts";
import type { MessageId, NodeId } from "../../core/ids.ts";
import type { DestinationEvents, WorkRequest } from "../../delivery/ports.ts";
import type { ByteSource } from "../../plugin/contract.ts";
import type { PluginHost } from "../../plugin/host.ts";
import type { PluginFacts, WorkEffect, WorkInput } from "../../work/types.ts";
import type { WorkMachine } from "../../work/machine.ts";
import type { WorkState, WorkStatus } from "../api.ts";
import type { Engine } from "../engine/engine.ts";
import { JobSink } from "./job-sink.ts";
import { InlineSource, PayloadStream } from "../../plugin/payload-stream.ts";
import type { Wakeable } from "../engine/agenda.ts";

interface Job {
  readonly request: WorkRequest;
  readonly since: number;
  state: WorkState;
  payload: PayloadStream | undefined;
  readonly sink: JobSink;
}

export interface WorkerOptions {
  readonly machine: WorkMachine;
  readonly host: PluginHost;
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
  readonly #jobs = new ChurnMap<MessageId, Job>();
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
    return this.#jobs.values().map(({ request, since, state }) => ({
      id: request.id,
      directive: request.directive,
      role: "worker" as const,
      peer: request.sender,
      state,
      responses: this.#engine().delivery.destination.responses(request.id),
      since: Math.round(now - since) / 1000,
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

  get host(): PluginHost {
    return this.#options.host;
  }

  /** Ends all that runs. */
  abortAll(error: MeshError): void {
    for (const { request } of this.#jobs.values()) this.#step({ type: "cancel", id: request.id, error });
  }

  events(): DestinationEvents {
    return {
      isIdempotent: (directive) => this.#isIdempotent(directive),
      mayFollow: (asker, from) => this.#options.mayFollow(asker, from),
      onRequest: (request) => this.#request(request),
      onConfirm: (id) => this.#step({ type: "confirm", id }),
      onCancel: (id, error) => this.#step({ type: "cancel", id, error }),
      onPayloadBytes: (id, bytes) => this.#jobs.get(id)?.payload?.addCopy(bytes),
      onPayloadEnd: (id) => this.#jobs.get(id)?.payload?.finish(),
      onResponseWritable: (id) => this.#jobs.get(id)?.sink.onWritable(),
    };
  }

  /** A plugin has let go of a work. */
  ended(id: MessageId, outcome: { readonly error?: MeshError; readonly exitCode?: number }): void {
    this.#step({ type: "ended", id, ...outcome });
  }

  nextWake(): number | undefined {
    return this.#options.machine.nextWake();
  }

  wake(): void {
    this.#step({ type: "wake" });
  }

  #request(request: WorkRequest): void {
    const engine = this.#engine();
    const now = engine.now();
    try {
      this.#options.admit(request.sender, request.directive);
    } catch (error) {
      return engine.delivery.destination.refuse(now, request.id, toMeshError(error));
    }
    const payload = request.streamed
      ? new PayloadStream((count) => engine.delivery.destination.consumed(engine.now(), request.id, count))
      : undefined;
    this.#jobs.set(request.id, {
      request,
      since: now,
      state: "queued",
      payload,
      sink: new JobSink(request.id, engine.delivery.destination),
    });
    const { id, sender, directive, hold, deadline } = request;
    this.#step({ type: "request", id, sender, directive, hold, deadline }, now);
  }

  #isIdempotent(directive: string): boolean {
    const [plugin = "", action = ""] = directive.split(":");
    return this.#plugins.get(plugin)?.actions.get(action)?.idempotent ?? false;
  }

  #step(input: WorkInput, now = this.#engine().now()): void {
    const engine = this.#engine();
    for (const effect of this.#options.machine.step(now, input)) this.#apply(now, effect);
    engine.agenda.touch(this);
    engine.poke();
  }

  #apply(now: number, effect: WorkEffect): void {
    const { destination } = this.#engine().delivery;
    switch (effect.type) {
      case "accepted": {
        destination.accept(effect.id);
        const job = this.#jobs.get(effect.id);
        if (job !== undefined) this.#options.onAccepted(effect.id, job.request.directive, job.request.sender);
        return;
      }
      case "refused":
        this.#jobs.get(effect.id)?.sink.close();
        this.#jobs.delete(effect.id);
        return destination.refuse(now, effect.id, effect.error);
      case "start":
        return this.#start(effect.id, effect.plugin, effect.action);
      case "abort":
        return this.#options.host.abort(effect.id, effect.error);
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

  #start(id: MessageId, plugin: string, action: string): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    job.state = "running";
    const { request } = job;
    this.#engine().delivery.destination.running(id);
    this.#options.host.start({
      id,
      plugin,
      action,
      sender: request.sender,
      headers: request.headers,
      input: this.#input(job),
      sink: job.sink,
    });
  }

  #end(now: number, effect: Extract<WorkEffect, { type: "ended" }>): void {
    const job = this.#jobs.get(effect.id);
    if (job === undefined) return;
    this.#jobs.delete(effect.id);
    job.payload?.close();
    job.sink.close();
    const { id, state, exitCode, error } = effect;
    this.#engine().delivery.destination.end(now, id, { state, exitCode, error });
    this.#options.onEnded(effect.id, job.request.directive, job.request.sender, effect.state);
  }

  #input({ request, payload }: Job): ByteSource {
    if (payload !== undefined) return { stream: payload.readable };
    return new InlineSource(request.payload);
  }
}
