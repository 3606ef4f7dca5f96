import { SlabPool } from "../../src/link/slab.ts";
import type { MessageId, NodeId } from "../../src/core/ids.ts";
import { VirtualClock } from "./clock.ts";
import { SimSecrets } from "./ciphers.ts";
import { Faults } from "./faults.ts";
import { Hostile } from "./hostile.ts";
import { Ledger, type Sent } from "./ledger.ts";
import { Liar } from "./liar.ts";
import { SimNetwork } from "./network.ts";
import { SimNode, type SimPeer } from "./node.ts";
import type { Order } from "./program.ts";
import { seeded } from "./random.ts";
import { SimAuthority } from "./signatures.ts";
import { Watch } from "./watch.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Keeps the story of the run; costs time. */
  readonly story?: boolean;
  /** Each node dials the one before it, and no other. */
  readonly line?: boolean;
  /** The mesh has an authority, and some of its members are liars. */
  readonly lies?: boolean;
  /** The mesh has an authority, and what nodes say to each other is sealed. */
  readonly sealed?: boolean;
  /** Wall clocks are no further apart than nodes that speak to each other may have them; undefined: at times. */
  readonly clocksAgree?: boolean;
  /** Sealed, and some of its members do what they like with what passes through them. */
  readonly hostile?: boolean;
}

/** An order that asks for nothing in particular. */
export const NOTHING: Omit<Order, "to" | "number" | "ttl"> = {
  durable: false,
  hold: false,
  idempotent: false,
  slow: false,
  bytes: 1,
  answers: [1],
};

/** After its time to live a message may be under way for so long until its sender hears of it. */
const LAST_WORD = 2_000;
const SLACK = 1_500;

/** A whole mesh in virtual time, from one seed: nodes, faults, messages, and what became of them. */
export class World {
  readonly clock = new VirtualClock();
  readonly random: () => number;
  readonly network: SimNetwork;
  readonly nodes: SimNode[] = [];
  readonly story: string[] = [];
  readonly ledger: Ledger;
  readonly faults: Faults;
  readonly watch: Watch;
  readonly tell: (line: string) => void;
  readonly liars: readonly Liar[];
  readonly hostile: readonly Hostile[];
  readonly authority: SimAuthority | undefined;
  readonly clocksAgree: boolean;
  #number = 0;

  constructor({
    seed,
    nodes,
    story = false,
    line = false,
    lies = false,
    sealed = false,
    hostile = false,
    clocksAgree = false,
  }: WorldOptions) {
    this.random = seeded(seed);
    this.tell = story ? (line) => void this.story.push(`${this.clock.now.toFixed(1).padStart(9)} ${line}`) : () => undefined;
    this.clocksAgree = clocksAgree || hostile || (sealed && this.random() < 0.7);
    this.network = new SimNetwork(this.clock, this.random);
    this.ledger = new Ledger(this.tell, () => this.clock.now);
    const maxParked = this.random() < 0.2 ? 3 : 1_000;
    // To make them costs more than all else, and most links send little at once.
    const slabs = new SlabPool(256, 8_192);
    const authority = lies || sealed ? new SimAuthority() : undefined;
    const secrets = authority && sealed ? new SimSecrets(authority) : undefined;
    this.authority = authority;
    const signaturesOf = authority && ((id: NodeId) => authority.signaturesOf(id));
    const sealingOf = secrets && ((id: NodeId) => secrets.meansOf(id));
    const byName = new Map<string, SimNode>();
    for (let i = 0; i < nodes; i++) {
      const node = new SimNode(`n${i}`, line ? lineOf(i) : this.#peersOf(i), {
        ...this.#parts(),
        maxParked,
        slabs,
        signaturesOf,
        sealingOf,
      });
      this.nodes.push(node);
      byName.set(node.id, node);
    }
    this.watch = new Watch(this.clock, this.ledger, byName, maxParked, { authority, secrets });
    this.liars = authority !== undefined && lies ? this.#chooseLiars(authority) : [];
    this.hostile = secrets !== undefined && hostile ? this.#chooseHostile(secrets) : [];
    if (lies) this.network.tamper = (from, to, frame) => [this.liars.find(({ id }) => id === from)?.tamper(to, frame) ?? frame];
    if (hostile) this.network.tamper = (from, _to, frame) => this.hostile.find(({ id }) => id === from)?.tamper(frame) ?? [frame];
    this.network.onFrame = (from, to, frame) => this.watch.frame(from, to, frame);
    this.network.onExtra = (to, frame) => this.watch.extra(to, frame);
    this.network.touched = (host, kind) => this.watch.node(host, kind);
    this.faults = new Faults(this);
  }

  /** Starts all nodes within the first second, but for some that join at any time until `last`. */
  startAll(last: number): void {
    for (const node of this.nodes) {
      const late = this.random() < 0.15;
      this.clock.at(this.random() * (late ? last : 1_000), () => node.up || node.start());
    }
  }

  /** Sends so many messages at times between `from` and `until`. */
  sendBetween(from: number, until: number, count: number, ttl: number): void {
    for (let i = 0; i < count; i++) this.clock.at(from + this.random() * (until - from), () => this.send(ttl * (0.2 + this.random())));
  }

  send(ttl: number): void {
    const from = this.nodes[this.below(this.nodes.length)];
    const to = this.nodes[this.below(this.nodes.length)];
    if (from?.program === undefined || to === undefined || from.frozen) return;
    const { random } = this;
    const streamed = random() < 0.06;
    const durable = !streamed && random() < 0.3;
    const bytes = streamed ? 17_000 + this.below(400_000) : 1 + this.below(300);
    const answers = random() < 0.06 ? Array.from({ length: 1 + this.below(12) }, () => this.below(48_000)) : [this.below(300)];
    const hold = !durable && random() < 0.1;
    const idempotent = random() < 0.05;
    const sent = this.sendFrom(from, to, { ttl, durable, idempotent, bytes, answers, hold, slow: random() < 0.1 });
    if (sent !== undefined && random() < 0.06) this.clock.after(random() * ttl, () => this.#cancel(sent.id));
  }

  sendFrom(from: SimNode, to: SimNode, order: Omit<Order, "to" | "number">): Sent | undefined {
    const { ttl, durable, idempotent, bytes, answers } = order;
    const number = ++this.#number;
    const id = from.send({ ...order, to: to.id, number });
    if (id === undefined) return undefined;
    this.ledger.add({ to: to.id, ttl, durable, idempotent, number, bytes, answers, id, from, at: this.clock.now });
    return this.ledger.sent.get(id);
  }

  /** The node's process ends: which of its messages nobody waits for any more. */
  bereave(node: SimNode, wipe: boolean): void {
    for (const sent of this.ledger.sent.values()) {
      if (sent.from !== node || sent.ending !== undefined || sent.orphan) continue;
      if (sent.durable && !wipe && node.hasStored(sent.id)) continue;
      sent.orphan = true;
      // The program may come back, with the id that it noted.
      if (sent.accepted && this.random() < 0.5) this.#attachLater(sent);
    }
  }

  /** What should have ended by now, and has not. */
  checkOverdue(): void {
    const { now } = this.clock;
    for (const sent of this.ledger.sent.values()) {
      if (sent.ending !== undefined || sent.accepted || sent.orphan || sent.cancelled) continue;
      const { from } = sent;
      if (from.engine === undefined || from.frozen || now < from.upSince + SLACK) continue;
      const due = sent.at + sent.ttl + LAST_WORD + SLACK + from.uncounted;
      if (now > due) {
        const phase = from.engine.delivery.origin.find(sent.id)?.phase ?? "forgotten";
        this.ledger.violation("I1", `${this.ledger.name(sent)} is ${phase} ${Math.round(now - sent.at - sent.ttl)} ms after its time`);
        sent.orphan = true;
      }
    }
  }

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  #parts(): Pick<World, "clock" | "network" | "random" | "ledger" | "tell"> {
    return { clock: this.clock, network: this.network, random: this.random, ledger: this.ledger, tell: this.tell };
  }

  #chooseLiars(authority: SimAuthority): Liar[] {
    const share = this.random() < 0.5 ? 0.05 : 0.6;
    const count = 1 + this.below(Math.ceil(this.nodes.length / 4));
    const ids = new Set(Array.from({ length: count }, () => this.nodes[this.below(this.nodes.length)]?.id));
    return [...ids].flatMap((id) => (id === undefined ? [] : [new Liar(id, share, authority, this.random)]));
  }

  #chooseHostile(secrets: SimSecrets): Hostile[] {
    const share = this.random() < 0.5 ? 0.05 : 0.4;
    const lies = this.random() < 0.5;
    const count = 1 + this.below(Math.ceil(this.nodes.length / 4));
    const chosen = new Set(Array.from({ length: count }, () => this.nodes[this.below(this.nodes.length)]));
    return [...chosen].flatMap((node) => {
      if (node === undefined) return [];
      this.ledger.hostile.add(node.id);
      return [new Hostile(node, { share, lies, nodes: this.nodes, secrets, ledger: this.ledger, clock: this.clock, random: this.random })];
    });
  }

  #peersOf(i: number): SimPeer[] {
    const hosts = new Set<string>();
    if (i > 0) hosts.add(`n${this.below(i)}`);
    if (i > 2) while (hosts.size < 2 && this.random() < 0.6) hosts.add(`n${this.below(i)}`);
    return [...hosts].map((host) => ({ host, cost: this.random() < 0.7 ? 1 : 1 + this.below(8) / 2 }));
  }

  #cancel(id: MessageId): void {
    const sent = this.ledger.sent.get(id);
    if (sent === undefined || sent.ending !== undefined || sent.orphan || sent.from.program === undefined || sent.from.frozen) return;
    this.tell(`${sent.from.id} cancels ${id}`);
    sent.cancelled = true;
    sent.from.program.cancel(id);
  }

  #attachLater(sent: Sent): void {
    const { from, id, number, to } = sent;
    this.clock.after(2_000 + this.random() * 10_000, () => {
      if (sent.ending !== undefined || from.program === undefined || from.frozen || from.engine?.delivery.origin.find(id) !== undefined)
        return;
      this.tell(`${from.id} attaches to ${id}`);
      from.program.attach(id, number, to);
    });
  }
}

function lineOf(i: number): SimPeer[] {
  return i === 0 ? [] : [{ host: `n${i - 1}`, cost: 1 }];
}
