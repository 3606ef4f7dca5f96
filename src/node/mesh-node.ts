import { v4 } from "uuid";
import { isMeshError, MeshError, toMeshError } from "../core/errors.ts";
import { type MessageId, nodeId, type NodeId } from "../core/ids.ts";
import { LIMITS } from "../core/limits.ts";
import type { Logger } from "../core/log.ts";
import { hashNodeId } from "../core/node-hash.ts";
import type { EchoReply } from "../delivery/echo.ts";
import { formatMeshUrl, type MeshUrl, parseMeshUrl } from "../transports/url.ts";
import type {
  CallOptions,
  MeshEvent,
  MeshNode,
  OwnPluginStatus,
  Ping,
  QueueEntry,
  SendOptions,
  SendPayload,
  Status,
  TraceHop,
  Work,
} from "./api.ts";
import { AnyWork } from "./sending/any-work.ts";
import type { Changes } from "./changes.ts";
import type { Emitter } from "./emitter.ts";
import type { Engine } from "./engine/engine.ts";
import { candidates, GroupWork, RecentTarget, type Target } from "./sending/groups.ts";
import { checkDirective, type Sender } from "./sending/sender.ts";
import type { SentWork } from "./sending/sent-work.ts";
import { abortable, aborted, onAbort } from "./signals.ts";
import { takeQueue, takeStatus } from "./status.ts";
import type { Worker } from "./working/worker.ts";

/** What the node is made of, and what closing it undoes. */
export interface MeshNodeParts {
  readonly engine: Engine;
  readonly sender: Sender;
  readonly worker: Worker;
  readonly events: Emitter<MeshEvent>;
  readonly changes: Changes;
  readonly log: Logger;
  readonly version: string;
  readonly warnings: () => readonly string[];
  readonly plugins: () => readonly OwnPluginStatus[];
  readonly secureByDefault: boolean;
  readonly ttl: number;
  openListener(url: MeshUrl): Promise<MeshUrl>;
  reload(): Promise<void>;
  close(drain: number): Promise<void>;
}

const NO_OPTIONS: SendOptions = {};
const CALL: number = 10_000;
const ASK_AGAIN = 200;
/** How long a node that has just started waits for its first links before it says that it has not heard of a node. */
const SETTLE = 2_000;

export class Node implements MeshNode {
  readonly id: NodeId;
  readonly #parts: MeshNodeParts;
  readonly #startedAt: number;
  readonly #targets = new RecentTarget();
  readonly #listening: MeshUrl[] = [];
  readonly #echoes = new Map<MessageId, (reply: EchoReply) => void>();
  #closing: Promise<void> | undefined;

  constructor(parts: MeshNodeParts) {
    this.id = parts.engine.id;
    this.#parts = parts;
    this.#startedAt = parts.engine.now();
  }

  get listening(): readonly string[] {
    return this.#listening.map(formatMeshUrl);
  }

  async listen(url: string): Promise<string> {
    this.#checkOpen();
    const bound = await this.#parts.openListener(parseMeshUrl(url, this.#bare()));
    this.#listening.push(bound);
    return formatMeshUrl(bound);
  }

  peer(url: string): void {
    this.#checkOpen();
    const parsed = parseMeshUrl(url, this.#bare());
    this.#parts.engine.links.addPeer(formatMeshUrl(parsed), parsed.cost);
  }

  unpeer(url: string): void {
    this.#parts.engine.links.removePeer(formatMeshUrl(parseMeshUrl(url, this.#bare())));
  }

  async reachable(id: string, options: CallOptions = {}): Promise<void> {
    this.#checkOpen();
    const node = nodeId(id);
    const { high, low } = hashNodeId(node);
    const until = this.#parts.engine.now() + (options.timeout ?? CALL);
    while (node !== this.id && this.#parts.engine.routing.nextHop(high, low) === undefined) {
      if (this.#parts.engine.now() >= until)
        throw new MeshError("TIMEOUT", `there was no route to ${id} within ${options.timeout ?? CALL} ms`, { data: { node: id } });
      await abortable(this.#parts.changes.next(until), options.signal);
      this.#checkOpen();
    }
  }

  async ping(id: string, options: CallOptions = {}): Promise<Ping> {
    const node = nodeId(id);
    await this.#settled(node, options.signal);
    this.#checkKnown(node);
    const { rtt, reply } = await this.#echo(node, undefined, options);
    return { rtt, hops: node === this.id ? 0 : reply.hops, version: reply.version, work: { running: reply.running, queued: reply.queued } };
  }

  async *trace(id: string, options: CallOptions = {}): AsyncGenerator<TraceHop> {
    const node = nodeId(id);
    await this.#settled(node, options.signal);
    this.#checkKnown(node);
    for (let reach = 1; reach <= LIMITS.hops; reach++) {
      const { rtt, reply } = await this.#echo(node, reach, options);
      yield { node: reply.node, rtt };
      if (reply.node === node) return;
    }
    throw new MeshError("HOP_LIMIT", `${id} is more than ${LIMITS.hops} links away`, { data: { node: id } });
  }

  send(target: string, directive: string, payload?: SendPayload, options: SendOptions = NO_OPTIONS): Promise<Work> {
    try {
      this.#checkOpen();
      checkDirective(directive);
      const to = this.#targets.read(target);
      if (to.type !== "node" || options.detach === true || options.signal !== undefined || !this.#isSettled(to.node))
        return this.#sendInTime(target, to, directive, payload, options);
      const work = this.#sendTo(to.node, directive, payload, options);
      if (options.waitFor === undefined || options.waitFor === "accepted") return work.accepted();
      return this.#whenReady(work, options);
    } catch (error) {
      return Promise.reject(toMeshError(error));
    }
  }

  /** What is to wait for something before it is sent, or not sent to one node. */
  async #sendInTime(target: string, to: Target, directive: string, payload: SendPayload | undefined, options: SendOptions): Promise<Work> {
    if (options.signal?.aborted === true) throw aborted(options.signal);
    if (options.detach === true) return await this.#sendByKeeper(target, directive, payload, options);
    if (to.type !== "node") {
      return to.type === "all"
        ? await this.#sendToAll(target, to.group, directive, payload, options)
        : await this.#sendToAny(target, to.group, directive, payload, options);
    }
    await this.#settled(to.node, options.signal);
    return await this.#whenReady(this.#sendTo(to.node, directive, payload, options), options);
  }

  #sendTo(node: NodeId, directive: string, payload: SendPayload | undefined, options: SendOptions): SentWork {
    if (!this.#mayWait(options)) this.#checkKnown(node);
    return this.#parts.sender.send(node, directive, payload, options);
  }

  async attach(workId: string, options: { readonly node: string; readonly from?: number; readonly signal?: AbortSignal }): Promise<Work> {
    this.#checkOpen();
    const own = this.#parts.sender.claim(workId, options.from ?? 1);
    if (own !== undefined) return own;
    let node = nodeId(options.node);
    await this.#settled(node, options.signal);
    this.#checkKnown(node);
    for (let redirects = 0; ; redirects++) {
      const work = this.#parts.sender.attach(workId, node, options.from ?? 1, CALL);
      try {
        await abortable(work.accepted(), options.signal);
        return work;
      } catch (error) {
        const next = isMeshError(error, "UNKNOWN_WORK") ? error.data["node"] : undefined;
        if (typeof next !== "string" || redirects > 2) throw error;
        node = nodeId(next);
      }
    }
  }

  status(): Status {
    const { warnings, plugins } = this.#parts;
    return takeStatus({
      ...this.#parts,
      startedAt: this.#startedAt,
      listening: this.listening,
      plugins: plugins(),
      warnings: warnings(),
    });
  }

  events(options: { readonly signal?: AbortSignal } = {}): AsyncIterable<MeshEvent> {
    return this.#parts.events.read(options.signal);
  }

  queue(): readonly QueueEntry[] {
    return takeQueue(this.#parts.engine);
  }

  async reload(): Promise<void> {
    this.#checkOpen();
    await this.#parts.reload();
  }

  close(options: { readonly drain?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.drain ?? 0);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** An answer to a ping or trace came in. */
  onEchoReply(id: MessageId, reply: EchoReply): void {
    this.#echoes.get(id)?.(reply);
  }

  async #close(drain: number): Promise<void> {
    await this.#parts.close(drain);
    this.#parts.sender.close(new MeshError("CLOSED", "the node was closed"));
    this.#parts.events.close();
    this.#parts.changes.close();
  }

  #bare(): "tcp" | "tls" {
    return this.#parts.secureByDefault ? "tls" : "tcp";
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new MeshError("CLOSED", "the node is closed");
  }

  #checkKnown(node: NodeId): void {
    if (node === this.id || this.#parts.engine.routing.known(node)) return;
    throw new MeshError("UNKNOWN_NODE", `the mesh has not heard of a node "${node}"; with a time to live given, a message waits for it`, {
      data: { node },
    });
  }

  #mayWait(options: SendOptions): boolean {
    return (options.ttl !== undefined && options.ttl > 0) || options.durable === true;
  }

  /** Waits, once after the start, until each configured peer has answered or failed. */
  async #settled(node: NodeId | undefined, signal: AbortSignal | undefined): Promise<void> {
    const { engine, changes } = this.#parts;
    const until = this.#startedAt + SETTLE;
    while (!this.#isSettled(node)) {
      await abortable(changes.next(Math.min(until, engine.now() + 50)), signal);
      this.#checkOpen();
    }
  }

  #isSettled(node: NodeId | undefined): boolean {
    const { engine } = this.#parts;
    if (engine.now() >= this.#startedAt + SETTLE) return true;
    if (node !== undefined && (node === this.id || engine.routing.route(node) !== undefined)) return true;
    return ![...engine.links.peers()].some((peer) => !peer.tried) && ![...engine.links.list()].some((link) => !link.adjacent);
  }

  async #sendToAll(
    target: string,
    group: string,
    directive: string,
    payload: SendPayload | undefined,
    options: SendOptions,
  ): Promise<Work> {
    await this.#settled(undefined, options.signal);
    const members = this.#parts.engine.routing.members(group);
    if (members.length === 0) throw unknownGroup(group);
    if (isStream(payload) || options.input === "open") {
      throw new MeshError("INVALID_ARGUMENT", "a stream can be read once: it cannot go to all members of a group");
    }
    const works = members.map(({ node }) => this.#parts.sender.send(node, directive, payload, options));
    for (const work of works) cancelOnAbort(work, options.signal);
    const group_ = new GroupWork(target, works);
    if (options.waitFor !== "sent")
      await abortable(
        Promise.allSettled(works.map((work) => (options.waitFor === "parked" ? work.parkedOrAccepted() : work.accepted()))),
        options.signal,
      );
    return group_;
  }

  async #sendToAny(
    target: string,
    group: string,
    directive: string,
    payload: SendPayload | undefined,
    options: SendOptions,
  ): Promise<Work> {
    await this.#settled(undefined, options.signal);
    const { engine, sender, changes, ttl } = this.#parts;
    const members = () => engine.routing.members(group);
    if (members().length === 0 && !this.#mayWait(options)) throw unknownGroup(group);
    if (isStream(payload) || options.input === "open") {
      throw new MeshError("INVALID_ARGUMENT", "a stream can be read once: it cannot be offered to one member after another");
    }
    if (members().length > 0 && candidates(members(), directive).length === 0 && !this.#mayWait(options)) {
      throw new MeshError("UNKNOWN_ACTION", `no member of group "${group}" does ${directive}`, { data: { group, directive } });
    }
    const work = new AnyWork(target, directive, options.ttl ?? ttl, {
      candidates: () => {
        this.#checkOpen();
        return candidates(members(), directive);
      },
      attempt: (node) => sender.send(node, directive, payload, options, true),
      reachable: (node) => node === this.id || engine.routing.route(node) !== undefined,
      changed: (until) => changes.next(until),
      now: () => engine.now(),
    });
    cancelOnAbort(work, options.signal);
    if (options.waitFor !== "sent") await abortable(work.accepted(), options.signal);
    return work;
  }

  /** The first peer sends it on, and holds the outcome. */
  async #sendByKeeper(target: string, directive: string, payload: SendPayload | undefined, options: SendOptions): Promise<Work> {
    await this.#settled(undefined, options.signal);
    const keeper = this.#parts.engine.links.firstUp()?.peer;
    if (keeper === undefined) throw new MeshError("NO_ROUTE", "there is no peer to keep the message");
    const { detach: _, signal, waitFor: __, ...rest } = options;
    const headers = { "keep-target": target, "keep-directive": directive, "keep-options": JSON.stringify(rest) };
    const kept = this.#parts.sender.send(keeper, "mesh:keep", payload, { headers });
    for await (const response of kept) {
      const answer = response.json();
      if (typeof answer !== "object" || answer === null || !("id" in answer) || typeof answer.id !== "string") break;
      // It is in good hands, and whoever runs it knows nothing of it yet.
      if ("parked" in answer && answer.parked === true && "ttl" in answer && typeof answer.ttl === "number") {
        const work = this.#parts.sender.attach(answer.id, keeper, 1, answer.ttl + CALL);
        work.onParked(keeper, answer.ttl);
        return work;
      }
      return await this.attach(answer.id, { node: keeper, ...(signal === undefined ? {} : { signal }) });
    }
    throw new MeshError("PROTOCOL_ERROR", `${keeper} did not say what became of the message`);
  }

  async #whenReady(work: SentWork, options: SendOptions): Promise<Work> {
    cancelOnAbort(work, options.signal);
    if (options.waitFor === "sent") return work;
    await abortable<unknown>(options.waitFor === "parked" ? work.parkedOrAccepted() : work.accepted(), options.signal);
    return work;
  }

  async #echo(node: NodeId, reach: number | undefined, options: CallOptions): Promise<{ rtt: number; reply: EchoReply }> {
    this.#checkOpen();
    const { engine } = this.#parts;
    const timeout = options.timeout ?? CALL;
    const until = engine.now() + timeout;
    const asked: MessageId[] = [];
    let timer: NodeJS.Timeout | undefined;
    try {
      const answered = new Promise<{ rtt: number; reply: EchoReply }>((resolve, reject) => {
        // Asked again at growing distances: the way back may be known there a moment later than the way there is here.
        const ask = (wait: number): void => {
          if (engine.now() >= until)
            return reject(new MeshError("TIMEOUT", `${node} did not answer within ${timeout} ms`, { data: { node } }));
          const id = v4() as MessageId;
          const sentAt = engine.now();
          asked.push(id);
          // One that met its hop limit elsewhere has not reached the node.
          this.#echoes.set(id, (reply) => {
            if (reach !== undefined || reply.node === node) resolve({ rtt: engine.now() - sentAt, reply });
          });
          if (!engine.delivery.echo.ask(id, node, reach))
            return reject(new MeshError("NO_ROUTE", `there is no route to ${node}`, { data: { node } }));
          engine.poke();
          timer = setTimeout(() => ask(wait * 2), Math.max(0, Math.min(wait, until - engine.now())));
        };
        ask(ASK_AGAIN);
      });
      return await abortable(answered, options.signal);
    } finally {
      clearTimeout(timer);
      for (const id of asked) this.#echoes.delete(id);
    }
  }
}

/** A signal that outlives the work keeps nothing of it. */
function cancelOnAbort(work: SentWork | AnyWork, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  void work.ended().then(onAbort(signal, () => void work.cancel()));
}

function unknownGroup(group: string): MeshError {
  return new MeshError("UNKNOWN_GROUP", `no node is in the group "${group}"`, { data: { group } });
}

function isStream(payload: SendPayload | undefined): boolean {
  return typeof payload === "object" && payload !== null && Symbol.asyncIterator in payload;
}
