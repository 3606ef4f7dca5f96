import type { Writable } from "node:stream";
import { isMeshError, MeshError, toMeshError } from "../../core/errors.ts";
import type { NodeId } from "../../core/ids.ts";
import type { EachResponse, Response, Work, WorkEvent, WorkResult, WorkState } from "../api.ts";
import { Emitter } from "../emitter.ts";
import type { SentWork } from "./sent-work.ts";
import { abortable } from "../signals.ts";

export interface AnyPort {
  /** Who could do it now, best first. Throws CLOSED once the node is. */
  candidates(): readonly NodeId[];
  /** Sends one attempt, which begins only once it is confirmed. */
  attempt(node: NodeId): SentWork;
  reachable(node: NodeId): boolean;
  /** Resolves when routes or members changed, or at the time that is given. */
  changed(until: number): Promise<void>;
  now(): number;
}

/** How long one member may take to accept while there are others. */
const PATIENCE = 3_000;

/** What makes another member worth asking. */
const MOVABLE: ReadonlySet<string> = new Set([
  "BUSY",
  "CLOSED",
  "UNKNOWN_PLUGIN",
  "UNKNOWN_ACTION",
  "UNKNOWN_GROUP",
  "STORE_FULL",
  "CANCELLED",
  "NO_ROUTE",
  "EXPIRED",
  "WORK_INTERRUPTED",
]);

/** Work for whichever member of a group takes it first; once one has taken it, it stays there. */
export class AnyWork implements Work {
  readonly members: readonly Work[] = [];
  readonly directive: string;
  readonly #target: string;
  readonly #port: AnyPort;
  readonly #expiresAt: number;
  readonly #events = new Emitter<WorkEvent>();
  readonly #history: WorkEvent[] = [];
  readonly #settled: Promise<SentWork>;
  #chosen: SentWork | undefined;
  #attempt: SentWork | undefined;
  #cancelled = false;
  /** Wakes what waits for a member when the work is cancelled. */
  #stop: (() => void) | undefined;
  #error: MeshError | undefined;

  constructor(target: string, directive: string, ttl: number, port: AnyPort) {
    this.#target = target;
    this.directive = directive;
    this.#port = port;
    this.#expiresAt = port.now() + ttl;
    this.#settled = this.#choose(ttl);
    this.#settled.then((work) => void this.#follow(work)).catch((error: unknown) => this.#fail(toMeshError(error)));
  }

  get id(): string {
    return (this.#chosen ?? this.#attempt)?.id ?? "";
  }

  get node(): string {
    return this.#chosen?.node ?? this.#target;
  }

  get state(): WorkState {
    if (this.#error !== undefined) return this.#error.code === "CANCELLED" ? "cancelled" : "failed";
    return this.#chosen?.state ?? "sent";
  }

  get input(): Writable | undefined {
    return this.#chosen?.input;
  }

  async accepted(): Promise<void> {
    await this.#settled;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Response> {
    yield* await this.#settled;
  }

  async forEach(each: EachResponse, options: { readonly signal?: AbortSignal } = {}): Promise<WorkResult> {
    return await (await abortable(this.#settled, options.signal)).forEach(each, options);
  }

  async *events(): AsyncGenerator<WorkEvent> {
    const past = [...this.#history];
    const over = past.at(-1)?.type === "end";
    const live = over ? undefined : this.#events.read();
    yield* past;
    if (live !== undefined) yield* live;
  }

  async cancel(): Promise<void> {
    this.#cancelled = true;
    this.#stop?.();
    await (this.#chosen ?? this.#attempt)?.cancel();
    await this.ended();
  }

  /** Settles at the end, however it was. */
  async ended(): Promise<void> {
    const work = await this.#settled.catch(() => undefined);
    await work?.ended();
  }

  async result(options: { readonly signal?: AbortSignal } = {}): Promise<WorkResult> {
    return await (await abortable(this.#settled, options.signal)).result(options);
  }

  async #choose(ttl: number): Promise<SentWork> {
    const asked = new Set<NodeId>();
    let last = new MeshError("NO_ROUTE", `no member of ${this.#target} that does ${this.directive} can be reached`);
    for (;;) {
      if (this.#cancelled) throw new MeshError("CANCELLED", "cancelled by its sender");
      const open = this.#port.candidates().filter((node) => !asked.has(node));
      const node = open[0];
      if (node === undefined) {
        if (last.code === "BUSY" || ttl === 0) throw last;
        if (this.#port.now() >= this.#expiresAt)
          throw new MeshError("EXPIRED", `no member of ${this.#target} took the work within the time to live`, { cause: last });
        await this.#changed();
        asked.clear();
        continue;
      }
      asked.add(node);
      try {
        return await this.#ask(node, open.length > 1);
      } catch (error) {
        last = toMeshError(error);
        if (!MOVABLE.has(last.code)) throw last;
      }
    }
  }

  async #changed(): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      this.#stop = resolve;
    });
    await Promise.race([this.#port.changed(this.#expiresAt), stopped]);
    this.#stop = undefined;
  }

  /** Asks one member. It leaves when another could do it sooner; it began nothing, since it was not confirmed. */
  async #ask(node: NodeId, others: boolean): Promise<SentWork> {
    const work = this.#port.attempt(node);
    this.#attempt = work;
    const accepted = work.accepted();
    const patience = others ? Math.min(this.#expiresAt, this.#port.now() + PATIENCE) : this.#expiresAt;
    for (;;) {
      const settled = await Promise.race([accepted.then(() => true), this.#port.changed(patience).then(() => false)]);
      if (settled) {
        this.#chosen = work;
        return work;
      }
      if (this.#port.reachable(node) && this.#port.now() < patience) continue;
      void work.cancel();
      accepted.catch((error: unknown) => {
        if (!isMeshError(error)) throw error;
      });
      throw new MeshError("NO_ROUTE", `${node} did not answer`, { data: { node } });
    }
  }

  async #follow(work: SentWork): Promise<void> {
    for await (const event of work.events()) this.#say(event);
    this.#events.close();
  }

  #fail(error: MeshError): void {
    this.#error = error;
    this.#say({ type: "end", id: this.id, node: this.node, state: error.code === "CANCELLED" ? "cancelled" : "failed", error });
    this.#events.close();
  }

  #say(event: WorkEvent): void {
    this.#history.push(event);
    this.#events.emit(event);
  }
}
