import { LIMITS } from "../../src/core/limits.ts";
import type { MessageId } from "../../src/core/ids.ts";
import { hashNodeId } from "../../src/core/node-hash.ts";
import { FRAME, OFFSET, ROUTED_HEADER } from "../../src/wire/frame.ts";
import { readMessageId } from "../../src/wire/message-id.ts";
import { decodeNotice } from "../../src/wire/outcome.ts";
import type { VirtualClock } from "./clock.ts";
import { type Ledger, short } from "./ledger.ts";
import type { SimNode } from "./node.ts";
import type { SimAuthority } from "./signatures.ts";

/** A time to live is written into a frame a moment before it leaves: while it is read from the store, at most. */
const ROUNDING = 5;
/** How often a node notes its store's clock, and what rounding adds. */
const NOTED = 5_000 + ROUNDING;

/** Looks at every frame that leaves a node, and at each node after each step: I3, I5, I7, I8, I9, I10. */
export class Watch {
  readonly #clock: VirtualClock;
  readonly #ledger: Ledger;
  readonly #nodes: ReadonlyMap<string, SimNode>;
  readonly #hashes = new Map<string, { high: number; low: number }>();
  /** By node and message: the most time to live with which it came in. */
  readonly #ttlIn = new Map<string, number>();
  /** By message: how often it was sent on, and how many error notices there were about it. */
  readonly #copies = new Map<MessageId, number>();
  readonly #notices = new Map<MessageId, number>();
  /** By node: since when something has waited there. */
  readonly #waiting = new Map<string, number>();
  /** By node and life: the newest (epoch, sequence) of each other node. */
  readonly #newest = new Map<string, { life: number; of: Map<string, number> }>();
  /** By node: the newest that it has said of itself. */
  readonly #spoken = new Map<string, { readonly disk: number; life: number; version: number }>();
  readonly #maxParked: number;
  readonly #authority: SimAuthority | undefined;
  frames = 0;

  constructor(
    clock: VirtualClock,
    ledger: Ledger,
    nodes: ReadonlyMap<string, SimNode>,
    maxParked: number,
    authority: SimAuthority | undefined,
  ) {
    this.#clock = clock;
    this.#ledger = ledger;
    this.#nodes = nodes;
    this.#maxParked = maxParked;
    this.#authority = authority;
    for (const name of nodes.keys()) this.#hashes.set(name, hashNodeId(name));
  }

  frame(from: string, to: string, frame: Uint8Array, doubled: boolean): void {
    this.frames++;
    const kind = frame[OFFSET.kind];
    if (kind !== FRAME.message && kind !== FRAME.notice) return;
    const hops = frame[OFFSET.hops] ?? 0;
    const id = readMessageId(frame, OFFSET.id);
    if (hops > LIMITS.hops) this.#ledger.violation("I3", `${short(id)} left ${from} after ${hops} hops`);
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    if (kind === FRAME.message) this.#message(from, to, id, view.getUint32(OFFSET.ttl));
    else if (!doubled && this.#isFrom(from, view)) this.#notice(id, frame.subarray(ROUTED_HEADER));
  }

  /** After each step of a node; `kind`: of the frame that it took in. */
  node(name: string, kind?: number): void {
    const node = this.#nodes.get(name);
    const engine = node?.engine;
    if (node === undefined || engine === undefined) return;
    const { park, origin } = engine.delivery;
    if (park.messages > this.#maxParked) this.#ledger.violation("I7", `${name} parks ${park.messages} messages`);
    if (origin.size > this.#ledger.sent.size) this.#ledger.violation("I7", `${name} follows ${origin.size} messages`);
    for (const link of engine.links.list())
      if (link.session.queuedBytes > LIMITS.linkQueueMax + LIMITS.frame)
        this.#ledger.violation("I7", `${name} queues ${link.session.queuedBytes} bytes for ${link.peer}`);
    this.#own(name, node);
    this.#clockNotes(name, node, park.messages > 0);
    // Nothing else changes what it knows of others.
    if (kind !== FRAME.advertisements) return;
    this.#database(name, node);
    if (this.#authority !== undefined) this.#genuine(this.#authority, name, node);
  }

  /** I8: what a node takes of another, that one has said. */
  #genuine(authority: SimAuthority, name: string, node: SimNode): void {
    for (const advertisement of node.engine?.routing.nodes() ?? [])
      if (!authority.hasSaid(advertisement)) this.#ledger.violation("I8", `${name} believes what ${advertisement.node} has not said`);
  }

  /** While something waits, its time is noted so often that a wall clock that was set back can give it only a moment more. */
  #clockNotes(name: string, node: SimNode, waits: boolean): void {
    const now = this.#clock.now;
    if (!waits) this.#waiting.delete(name);
    else if (!this.#waiting.has(name)) this.#waiting.set(name, now);
    const since = Math.max(this.#waiting.get(name) ?? Infinity, node.upSince, node.notedAt);
    if (now - since > NOTED) this.#ledger.violation("I9", `${name} noted its clock ${Math.round(now - since)} ms ago`);
  }

  #database(name: string, node: SimNode): void {
    let seen = this.#newest.get(name);
    if (seen?.life !== node.starts) this.#newest.set(name, (seen = { life: node.starts, of: new Map() }));
    for (const { id: of } of this.#nodes.values()) {
      const known = node.engine?.routing.version(of);
      if (known === undefined) continue;
      const version = known.epoch * 1e6 + known.sequence;
      const before = seen.of.get(of) ?? 0;
      if (version < before) this.#ledger.violation("I5", `${name} went back from ${before} to ${version} of ${of}`);
      if (version > before) seen.of.set(of, version);
    }
  }

  /** R2: what a node says of itself grows from life to life, unless it has lost its disk. */
  #own(name: string, node: SimNode): void {
    const said = node.engine?.routing.version(node.id);
    if (said === undefined) return;
    const version = said.epoch * 1e6 + said.sequence;
    let spoken = this.#spoken.get(name);
    if (spoken?.disk !== node.disk) this.#spoken.set(name, (spoken = { disk: node.disk, life: node.starts, version: 0 }));
    // An epoch that it took to refute another may not have reached the disk; the next life refutes it in turn.
    if (said.epoch > node.epoch) return;
    if (version < spoken.version || (version === spoken.version && node.starts > spoken.life))
      this.#ledger.violation("I5", `${name} said ${spoken.version} of itself, and in its next life ${version}`);
    Object.assign(spoken, { life: node.starts, version });
  }

  #message(from: string, to: string, id: MessageId, ttl: number): void {
    this.#copies.set(id, (this.#copies.get(id) ?? 0) + 1);
    const sent = this.#ledger.sent.get(id);
    // The first copy may leave before `send` has returned.
    if (sent !== undefined) {
      const came = this.#ttlIn.get(`${from}${id}`) ?? 0;
      const most = sent.from.id === from ? Math.max(came, this.#left(sent)) : came;
      if (ttl > most + ROUNDING) this.#ledger.violation("I9", `${short(id)} leaves ${from} with ${ttl} ms, and had ${most}`);
    }
    const key = `${to}${id}`;
    this.#ttlIn.set(key, Math.max(ttl, this.#ttlIn.get(key) ?? 0));
  }

  /** A node that was off with its clock set back cannot know how long: that time may be missing. */
  #left(sent: { readonly from: SimNode; readonly at: number; readonly ttl: number }): number {
    return sent.at + sent.ttl - this.#clock.now + sent.from.uncounted;
  }

  #notice(id: MessageId, body: Uint8Array): void {
    if (decodeNotice(body).type !== "failed") return;
    const notices = (this.#notices.get(id) ?? 0) + 1;
    this.#notices.set(id, notices);
    if (notices > (this.#copies.get(id) ?? 0)) this.#ledger.violation("I10", `${notices} error notices about ${short(id)}`);
  }

  #isFrom(name: string, view: DataView): boolean {
    const hash = this.#hashes.get(name);
    return hash !== undefined && view.getUint32(OFFSET.source) === hash.high && view.getUint32(OFFSET.source + 4) === hash.low;
  }
}
