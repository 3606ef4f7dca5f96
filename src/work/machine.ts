import { ChurnMap } from "../core/churn-map.ts";
import { MeshError, toMeshError } from "../core/errors.ts";
import type { MessageId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import type { Machine } from "../core/machine.ts";
import { Timers } from "../core/timers.ts";
import { nearestNames, parseDirective } from "./directive.ts";
import { newJob, type Job } from "./job.ts";
import { Lanes, type Lane } from "./lanes.ts";
import { eventOfAbort, isEnd, WORK_TRANSITIONS, type WorkEvent } from "./states.ts";
import { DEFAULT_QUEUE, WORK_TIMES, type WorkEffect, type WorkInput, type WorkOptions, type WorkView } from "./types.ts";

type Request<H> = Extract<WorkInput<H>, { type: "request" }>;
type Ended = Extract<WorkInput, { type: "ended" }>;

/** What a node does with the work that it is sent: queues, starts, stops and ends it. SPEC.md beside this file has its rules. */
export class WorkMachine<H = unknown> implements Machine<WorkInput<H>, WorkEffect<H>> {
  readonly #node: string;
  readonly #queueLimit: number;
  readonly #maxConcurrent: number;
  readonly #lanes: Lanes<Job<H>>;
  readonly #jobs = new ChurnMap<MessageId, Job<H>>();
  /** Ended for their senders, while the plugin's code still runs. */
  readonly #unstopped = new Map<MessageId, Job<H>>();
  readonly #timers = new Timers<Job<H>>();
  #effects: WorkEffect<H>[] = [];
  #waiting = 0;
  #held = 0;
  #order = 0;
  #draining = false;
  #toldRunning = 0;
  #toldQueued = 0;

  constructor(options: WorkOptions) {
    if (!(options.maxConcurrent >= 1)) throw new MeshError("INVALID_ARGUMENT", `maxConcurrent is at least 1, not ${options.maxConcurrent}`);
    this.#node = options.node;
    this.#queueLimit = options.queue ?? DEFAULT_QUEUE;
    this.#maxConcurrent = options.maxConcurrent;
    this.#lanes = new Lanes(options.maxConcurrent);
  }

  /** Slots in use, those of plugins that ignore their abort included. */
  get running(): number {
    return this.#lanes.taken;
  }

  /** Works that wait, held ones included. */
  get queued(): number {
    return this.#waiting;
  }

  /** Nothing waits and nothing runs. */
  get idle(): boolean {
    return this.#waiting === 0 && this.#lanes.taken === 0;
  }

  /** A work that has not ended. */
  get(id: MessageId): WorkView<H> | undefined {
    return this.#jobs.get(id);
  }

  /** The works that have not ended, in the order of their acceptance. */
  list(): Iterable<WorkView<H>> {
    return this.#jobs.values();
  }

  nextWake(): Instant | undefined {
    return this.#timers.next();
  }

  step(now: Instant, input: WorkInput<H>): readonly WorkEffect<H>[] {
    const effects: WorkEffect<H>[] = [];
    this.#effects = effects;
    this.#expire(now);
    switch (input.type) {
      case "plugins":
        for (const job of this.#lanes.replace(input.plugins)) this.#end(job, "fail", this.#unknown(job.plugin, job.action));
        break;
      case "request":
        this.#request(now, input);
        break;
      case "confirm":
        this.#confirm(input.id);
        break;
      case "cancel":
        this.#cancel(now, input.id, input.error ?? new MeshError("CANCELLED", "the work was cancelled"));
        break;
      case "ended":
        this.#pluginEnded(input);
        break;
      case "drain":
        this.#drain();
        break;
      case "wake":
        break;
    }
    this.#dispatch(now);
    this.#tellLoad();
    this.#effects = [];
    return effects;
  }

  #request(now: Instant, input: Request<H>): void {
    const { id } = input;
    if (this.#jobs.has(id)) return;
    const held = input.hold === true;
    let lane: Lane<Job<H>>;
    try {
      lane = this.#laneOf(input.directive);
      this.#admit(lane, id, held);
    } catch (error) {
      this.#effects.push({ type: "refused", id, error: toMeshError(error) });
      return;
    }
    const job = newJob(lane, input, this.#order++, now);
    this.#jobs.set(id, job);
    // Where a lane has room, nothing that is ready waits in it: the last step would have begun it.
    if (!held && this.#lanes.hasRoom(lane)) {
      this.#effects.push({ type: "accepted", id, handle: job.handle, state: "running" });
      this.#lanes.take(lane);
      return this.#begin(now, job);
    }
    lane.waiting.set(id, job);
    this.#waiting++;
    if (held) this.#held++;
    this.#effects.push({ type: "accepted", id, handle: job.handle, state: "queued" });
    this.#arm(job);
  }

  #laneOf(directive: string): Lane<Job<H>> {
    const present = this.#lanes.get(directive);
    if (present?.known === true) return present;
    const { plugin, action } = parseDirective(directive);
    const facts = this.#lanes.plugins.get(plugin);
    const actionFacts = facts?.actions.get(action);
    if (facts === undefined || actionFacts === undefined) throw this.#unknown(plugin, action);
    return this.#lanes.lane(facts, action, actionFacts);
  }

  #unknown(plugin: string, action: string): MeshError {
    const facts = this.#lanes.plugins.get(plugin);
    if (facts === undefined) {
      const known = this.#lanes.plugins.keys();
      return new MeshError("UNKNOWN_PLUGIN", `node "${this.#node}" has no plugin "${plugin}"; it has ${nearestNames(plugin, known)}`, {
        data: { node: this.#node, plugin, known: [...this.#lanes.plugins.keys()].slice(0, 32) },
      });
    }
    const known = nearestNames(action, facts.actions.keys());
    return new MeshError("UNKNOWN_ACTION", `plugin "${plugin}" on node "${this.#node}" has no action "${action}"; it has ${known}`, {
      data: { node: this.#node, plugin, action, known: [...facts.actions.keys()].slice(0, 32) },
    });
  }

  /** Throws CLOSED or BUSY where there is no place. */
  #admit(lane: Lane<Job<H>>, id: MessageId, hold: boolean): void {
    const data = { running: this.running, queued: this.queued };
    if (this.#draining && !lane.apart) throw new MeshError("CLOSED", `node "${this.#node}" is draining: it takes no new work`, { data });
    if (this.#unstopped.has(id))
      throw new MeshError("BUSY", `node "${this.#node}" still runs this work, which ignores its abort`, { data });
    if (this.#waiting < this.#queueLimit) return;
    // A full queue keeps nobody from a free slot.
    if (hold ? this.#lanes.taken + this.#held < this.#maxConcurrent : this.#lanes.hasRoom(lane)) return;
    throw new MeshError(
      "BUSY",
      `node "${this.#node}" has as much work as it takes: ${data.running} running, ${data.queued} queued; try again later or another node`,
      { data },
    );
  }

  #confirm(id: MessageId): void {
    const job = this.#jobs.get(id);
    if (job === undefined || !job.held) return;
    this.#unhold(job);
    this.#arm(job);
  }

  #unhold(job: Job<H>): void {
    if (!job.held) return;
    job.held = false;
    job.holdUntil = undefined;
    this.#held--;
  }

  #cancel(now: Instant, id: MessageId, error: MeshError): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    if (job.state === "queued") this.#end(job, eventOfAbort(error), error);
    else this.#abort(now, job, error);
  }

  #abort(now: Instant, job: Job<H>, error: MeshError): void {
    if (job.aborting) return;
    job.aborting = true;
    job.abortError = error;
    job.abortUntil = now + WORK_TIMES.abort;
    this.#effects.push({ type: "abort", id: job.id, handle: job.handle, error });
    this.#arm(job);
  }

  #pluginEnded(input: Ended): void {
    const unstopped = this.#unstopped.get(input.id);
    if (unstopped !== undefined) {
      this.#unstopped.delete(input.id);
      this.#lanes.release(unstopped.lane);
      return;
    }
    const job = this.#jobs.get(input.id);
    if (job === undefined || job.state !== "running") return;
    this.#lanes.release(job.lane);
    if (input.error === undefined) this.#end(job, "succeed", undefined, input.exitCode);
    else if (job.abortError !== undefined) this.#end(job, eventOfAbort(job.abortError), job.abortError, input.exitCode);
    else this.#end(job, "fail", input.error, input.exitCode);
  }

  #drain(): void {
    this.#draining = true;
    const error = new MeshError("CLOSED", `node "${this.#node}" is draining: work that had not begun is given back`);
    for (const job of this.#jobs.values()) if (job.state === "queued") this.#end(job, "cancel", error);
  }

  #dispatch(now: Instant): void {
    if (this.#waiting === this.#held) return;
    for (let next = this.#lanes.next(); next !== undefined; next = this.#lanes.next()) {
      this.#waiting--;
      this.#begin(now, next);
    }
  }

  #begin(now: Instant, job: Job<H>): void {
    const { lane } = job;
    job.state = WORK_TRANSITIONS[job.state].start ?? job.state;
    job.startedAt = now;
    const own = lane.facts.deadline;
    if (own !== undefined) job.deadline = Math.min(job.deadline ?? Number.POSITIVE_INFINITY, now + own);
    this.#effects.push({ type: "start", id: job.id, handle: job.handle, plugin: lane.plugin, action: lane.action, deadline: job.deadline });
    this.#arm(job);
  }

  #expire(now: Instant): void {
    for (let due = this.#timers.take(now); due !== undefined; due = this.#timers.take(now)) this.#timeUp(now, due);
  }

  #timeUp(now: Instant, job: Job<H>): void {
    if (job.abortUntil !== undefined) {
      this.#unstopped.set(job.id, job);
      this.#effects.push({ type: "ignores-abort", id: job.id, after: WORK_TIMES.abort });
      const error = job.abortError ?? new MeshError("CANCELLED", "the work was cancelled");
      this.#end(job, eventOfAbort(error), error);
    } else if (job.deadline !== undefined && job.deadline <= now) {
      const where = job.state === "queued" ? "while it was still queued" : "while it ran";
      const after = Math.round(job.deadline - job.acceptedAt);
      const message = `the deadline passed ${after} ms after the work was accepted, ${where}`;
      this.#cancel(now, job.id, new MeshError("DEADLINE_EXCEEDED", message));
    } else {
      const error = new MeshError("CANCELLED", `the work was not confirmed within ${WORK_TIMES.hold} ms`);
      this.#end(job, "cancel", error);
    }
  }

  #arm(job: Job<H>): void {
    const at = job.abortUntil ?? Math.min(job.deadline ?? Number.POSITIVE_INFINITY, job.holdUntil ?? Number.POSITIVE_INFINITY);
    if (at === Number.POSITIVE_INFINITY) this.#timers.delete(job);
    else this.#timers.set(job, at);
  }

  /** The one place where a work ends for its sender. */
  #end(job: Job<H>, event: WorkEvent, error?: MeshError, exitCode?: number): void {
    const state = WORK_TRANSITIONS[job.state][event];
    if (state === undefined || !isEnd(state)) return;
    if (job.state === "queued") {
      this.#unhold(job);
      job.lane.waiting.delete(job.id);
      this.#waiting--;
    }
    job.state = state;
    this.#jobs.delete(job.id);
    this.#timers.delete(job);
    this.#effects.push({ type: "ended", id: job.id, handle: job.handle, state, error, exitCode });
  }

  #tellLoad(): void {
    const { running, queued } = this;
    if (running === this.#toldRunning && queued === this.#toldQueued) return;
    this.#toldRunning = running;
    this.#toldQueued = queued;
    this.#effects.push({ type: "load", running, queued });
  }
}
