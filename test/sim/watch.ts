import { LIMITS } from "../../src/core/limits.ts";
import type { MessageId } from "../../src/core/ids.ts";
import { hashNodeId } from "../../src/core/node-hash.ts";
import { FIRST_ROUTED_KIND, FLAG, FRAME, OFFSET, ROUTED_HEADER } from "../../src/wire/frame.ts";
import { readMessageId } from "../../src/wire/message-id.ts";
import { decodeNotice, type Notice } from "../../src/wire/outcome.ts";
import { readSealedParts } from "../../src/wire/sealed.ts";
import { isSealed, type SimSecrets } from "./ciphers.ts";
import type { VirtualClock } from "./clock.ts";
import { type Ledger, short } from "./ledger.ts";
import type { SimNode } from "./node.ts";
import type { SimAuthority } from "./signatures.ts";

/** A time to live is written into a frame a moment before it leaves: while it is read from the store, at most. */
const ROUNDING = 5;
/** How often a node notes its store's clock, and what rounding adds. */
const NOTED = 5_000 + ROUNDING;

/** What stands in every message, and must not be read on the way. */
const WORDS = ["sim:", "number", "answers"].map((text) => Buffer.from(text));
/** So many bytes of a payload that follow each other are no accident. */
const TELLING = 6;

/** Looks at every frame that leaves a node, and at each node after each step: I3, I5, I7, I8, I9, I10, S1. */
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
  /** What no honest node has said: it may come by the one in whose name it is written. */
  readonly #strange = new Set<string>();
  /** By node: since when something has waited there. */
  readonly #waiting = new Map<string, number>();
  /** By node and life: the newest (epoch, sequence) of each other node. */
  readonly #newest = new Map<string, { life: number; of: Map<string, number> }>();
  /** By node: the newest that it has said of itself. */
  readonly #spoken = new Map<string, { readonly disk: number; life: number; version: number }>();
  readonly #maxParked: number;
  readonly #authority: SimAuthority | undefined;
  readonly #secrets: SimSecrets | undefined;
  frames = 0;

  constructor(
    clock: VirtualClock,
    ledger: Ledger,
    nodes: ReadonlyMap<string, SimNode>,
    maxParked: number,
    { authority, secrets }: { readonly authority: SimAuthority | undefined; readonly secrets: SimSecrets | undefined },
  ) {
    this.#clock = clock;
    this.#ledger = ledger;
    this.#nodes = nodes;
    this.#maxParked = maxParked;
    this.#authority = authority;
    this.#secrets = secrets;
    for (const name of nodes.keys()) this.#hashes.set(name, hashNodeId(name));
  }

  frame(from: string, to: string, frame: Uint8Array): void {
    this.frames++;
    const kind = frame[OFFSET.kind] ?? 0;
    if (kind < FIRST_ROUTED_KIND) return;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const own = this.#isFrom(from, view) && !this.#strange.has(bodyOf(frame));
    if (own && this.#secrets !== undefined) this.#sealed(from, frame);
    if (own && frame[OFFSET.hops] === 0 && isAcceptance(frame)) this.#accepts(from, readMessageId(frame, OFFSET.id), view);
    if (kind !== FRAME.message && kind !== FRAME.notice) return;
    const hops = frame[OFFSET.hops] ?? 0;
    const id = readMessageId(frame, OFFSET.id);
    if (hops > LIMITS.hops) this.#ledger.violation("I3", `${short(id)} left ${from} after ${hops} hops`);
    if (kind === FRAME.message) this.#message(from, to, id, view.getUint32(OFFSET.ttl));
    else if (own) this.#notice(id, isSealed(frame) ? this.#secrets?.open(frame) : frame.subarray(ROUTED_HEADER));
  }

  /** I1: a durable message is accepted when it is on the disk, and not before. */
  #accepts(from: string, id: MessageId, view: DataView): void {
    const sent = this.#ledger.sent.get(id);
    if (sent?.durable !== true || sent.to !== from || this.#clock.now > sent.at + sent.ttl) return;
    // A member may send under the id of another: what it is told is of its own message.
    const { high, low } = hashNodeId(sent.from.id);
    if (view.getUint32(OFFSET.destination) !== high || view.getUint32(OFFSET.destination + 4) !== low) return;
    if (this.#nodes.get(from)?.hasJournaled(id) !== true)
      this.#ledger.violation("I1", `${from} accepts ${short(id)}, which its disk has not`);
  }

  /** A frame that no honest node has said there. */
  extra(to: string, frame: Uint8Array): void {
    this.frames++;
    if (this.#ledger.hostile.size > 0) this.#strange.add(bodyOf(frame));
    if (frame[OFFSET.kind] !== FRAME.message) return;
    this.#came(to, readMessageId(frame, OFFSET.id), new DataView(frame.buffer, frame.byteOffset).getUint32(OFFSET.ttl));
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
    const sent = this.#ledger.sent.get(id);
    // The first copy may leave before `send` has returned.
    if (sent !== undefined) {
      const came = this.#ttlIn.get(`${from}${id}`) ?? 0;
      const most = sent.from.id === from ? Math.max(came, this.#left(sent)) : came;
      if (ttl > most + ROUNDING) this.#ledger.violation("I9", `${short(id)} leaves ${from} with ${ttl} ms, and had ${most}`);
    }
    this.#came(to, id, ttl);
  }

  #came(to: string, id: MessageId, ttl: number): void {
    this.#copies.set(id, (this.#copies.get(id) ?? 0) + 1);
    const key = `${to}${id}`;
    this.#ttlIn.set(key, Math.max(ttl, this.#ttlIn.get(key) ?? 0));
  }

  /** S1: what a node says to another cannot be read on the way. */
  #sealed(from: string, frame: Uint8Array): void {
    const kind = frame[OFFSET.kind];
    if (!isSealed(frame)) return this.#ledger.violation("S1", `a frame of kind ${kind} left ${from} unsealed`);
    const bytes = Buffer.from(frame.buffer, frame.byteOffset + ROUTED_HEADER, frame.length - ROUTED_HEADER);
    if (WORDS.some((each) => bytes.includes(each)) || hasPattern(bytes.subarray(sealedAt(frame))))
      this.#ledger.violation("S1", `a frame of kind ${kind} that left ${from} can be read`);
  }

  /** A node that was off with its clock set back cannot know how long: that time may be missing. */
  #left(sent: { readonly from: SimNode; readonly at: number; readonly ttl: number }): number {
    return sent.at + sent.ttl - this.#clock.now + sent.from.uncounted;
  }

  #notice(id: MessageId, body: Uint8Array | undefined): void {
    if (body === undefined) return this.#ledger.violation("S1", `a notice about ${short(id)} is not sealed as it must be`);
    const type = typeOf(body);
    if (type === undefined) return this.#ledger.violation("S1", `a notice about ${short(id)} is none that a node writes`);
    if (type !== "failed") return;
    const notices = (this.#notices.get(id) ?? 0) + 1;
    this.#notices.set(id, notices);
    if (notices > (this.#copies.get(id) ?? 0)) this.#ledger.violation("I10", `${notices} error notices about ${short(id)}`);
  }

  #isFrom(name: string, view: DataView): boolean {
    const hash = this.#hashes.get(name);
    return hash !== undefined && view.getUint32(OFFSET.source) === hash.high && view.getUint32(OFFSET.source + 4) === hash.low;
  }
}

/** Undefined: it is no notice. */
function typeOf(body: Uint8Array): Notice["type"] | undefined {
  try {
    return decodeNotice(body).type;
  } catch {
    return undefined;
  }
}

/** Where the sealed text begins, behind the header: what stands before it is for all to read. */
function sealedAt(frame: Uint8Array): number {
  return readSealedParts(new DataView(frame.buffer, frame.byteOffset, frame.byteLength), 0, frame.length).textAt - ROUTED_HEADER;
}

/** Of a frame what no relay changes, behind the header. */
function bodyOf(frame: Uint8Array): string {
  return Buffer.from(frame.buffer, frame.byteOffset + OFFSET.id, frame.length - OFFSET.id).toString("latin1");
}

/** Payloads count upwards. */
function hasPattern(bytes: Uint8Array): boolean {
  for (let i = 1, run = 1; i < bytes.length; i++) {
    run = bytes[i] === (((bytes[i - 1] as number) + 1) & 0xff) ? run + 1 : 1;
    if (run >= TELLING) return true;
  }
  return false;
}

/** What is sealed tells it by its flag alone. */
function isAcceptance(frame: Uint8Array): boolean {
  if (frame[OFFSET.kind] === FRAME.data) return ((frame[OFFSET.flags] ?? 0) & (FLAG.accepted | FLAG.upward)) === FLAG.accepted;
  return frame[OFFSET.kind] === FRAME.receipt && frame.length === ROUTED_HEADER;
}
