import type { MessageId, NodeId } from "../../src/core/ids.ts";
import { VirtualClock } from "./clock.ts";
import { SimNetwork } from "./network.ts";
import { SimNode } from "./node.ts";
import { seeded } from "./random.ts";

export interface Scenario {
  readonly seed: number;
  readonly nodes: number;
  /** Virtual milliseconds of faults; then all heals. */
  readonly trouble: number;
  readonly messages: number;
  readonly ttl: number;
}

interface Sent {
  readonly id: MessageId;
  readonly from: SimNode;
  readonly to: NodeId;
  readonly at: number;
  readonly durable: boolean;
  outcomes: string[];
  dispatches: number;
  /** The origin crashed before it heard; only a durable message outlives that. */
  orphan: boolean;
}

/** A whole mesh in virtual time, from one seed: nodes, faults, messages, and what became of them. */
export class World {
  readonly clock = new VirtualClock();
  readonly random: () => number;
  readonly network: SimNetwork;
  readonly nodes: SimNode[] = [];
  readonly sent = new Map<MessageId, Sent>();
  readonly story: string[] = [];
  readonly #scenario: Scenario;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.random = seeded(scenario.seed);
    this.network = new SimNetwork(this.clock, this.random);
    for (let i = 0; i < scenario.nodes; i++) {
      const peers = new Set<string>();
      if (i > 0) peers.add(`n${this.#below(i)}`);
      if (i > 2) while (peers.size < 2 && this.random() < 0.6) peers.add(`n${this.#below(i)}`);
      this.nodes.push(
        new SimNode(`n${i}`, [...peers], {
          clock: this.clock,
          network: this.network,
          random: this.random,
          witness: {
            dispatched: (node, request) => {
              const sent = this.sent.get(request.id);
              this.tell(`${node} runs ${short(request.id)}`);
              if (sent !== undefined) sent.dispatches++;
            },
            outcome: (id, outcome) => {
              this.sent.get(id)?.outcomes.push(outcome);
              this.tell(`${short(id)} ${outcome}`);
            },
            parked: (id, at) => this.tell(`${short(id)} parked at ${at}`),
          },
        }),
      );
    }
  }

  tell(line: string): void {
    this.story.push(`${this.clock.now.toFixed(1).padStart(9)} ${line}`);
  }

  run(): void {
    const { trouble, messages, ttl } = this.#scenario;
    for (const node of this.nodes) this.clock.after(this.random() * 1_000, () => node.start());
    for (let i = 0; i < messages; i++) this.clock.at(500 + this.random() * trouble, () => this.#send(ttl));
    for (let at = 2_000; at < trouble; at += 500 + this.random() * 3_000) this.clock.at(at, () => this.#fault());
    this.clock.runUntil(trouble);
    this.#heal();
    this.clock.runUntil(trouble + 30_000 + ttl + 10_000);
  }

  /** Node after node that has no route to a node that is up. */
  unreachable(): string[] {
    const missing: string[] = [];
    for (const from of this.nodes) {
      for (const to of this.nodes) {
        if (from !== to && from.engine?.routing.route(to.id) === undefined) missing.push(`${from.id} > ${to.id}`);
      }
    }
    return missing;
  }

  #send(ttl: number): void {
    const from = this.nodes[this.#below(this.nodes.length)];
    const to = this.nodes[this.#below(this.nodes.length)];
    if (from === undefined || to === undefined || !from.up) return;
    const durable = this.random() < 0.3;
    const id = from.send(to.id, { ttl: ttl * (0.2 + this.random()), durable, bytes: 1 + this.#below(300) });
    if (id === undefined) return;
    this.tell(`${from.id} sends ${short(id)} to ${to.id}${durable ? " durably" : ""}`);
    this.sent.set(id, { id, from, to: to.id, at: this.clock.now, durable, outcomes: [], dispatches: 0, orphan: false });
  }

  #fault(): void {
    const node = this.nodes[this.#below(this.nodes.length)];
    const other = this.nodes[this.#below(this.nodes.length)];
    if (node === undefined || other === undefined) return;
    const kind = this.random();
    if (kind < 0.35) {
      if (!node.up) return;
      const wipe = this.random() < 0.1;
      this.tell(`${node.id} crashes${wipe ? " and loses its disk" : ""}`);
      for (const sent of this.sent.values())
        if (sent.from === node && sent.outcomes.length === 0 && !(sent.durable && !wipe && node.hasStored(sent.id))) sent.orphan = true;
      node.crash(wipe);
      if (this.random() < 0.2) node.wallOffset += (this.random() - 0.5) * 7_200_000;
      this.clock.after(200 + this.random() * 8_000, () => {
        if (node.up) return;
        this.tell(`${node.id} starts`);
        node.start();
      });
    } else if (kind < 0.6) {
      this.tell(`${node.id} - ${other.id} reset`);
      this.network.reset(node.id, other.id);
    } else if (kind < 0.8) {
      const oneSided = this.random() < 0.5;
      this.tell(`${node.id} ${oneSided ? ">" : "-"} ${other.id} silent`);
      this.network.way(node.id, other.id).silent = true;
      if (!oneSided) this.network.way(other.id, node.id).silent = true;
      this.clock.after(1_000 + this.random() * 25_000, () => this.#open(node, other));
    } else {
      this.network.way(node.id, other.id).delay = this.random() < 0.2 ? this.random() * 5_000 : this.random() * 50;
    }
  }

  #open(a: SimNode, b: SimNode): void {
    this.network.way(a.id, b.id).silent = false;
    this.network.way(b.id, a.id).silent = false;
    // What was lost on the way is lost: TCP would have given up, or sent it again; here the pipe breaks.
    this.network.reset(a.id, b.id);
  }

  #heal(): void {
    this.tell("all heals");
    for (const a of this.nodes) {
      for (const b of this.nodes) {
        if (a === b) continue;
        const way = this.network.way(a.id, b.id);
        if (way.silent) this.#open(a, b);
        way.delay = Math.min(way.delay, 10);
      }
      if (!a.up) a.start();
    }
  }

  #below(n: number): number {
    return Math.floor(this.random() * n);
  }
}

function short(id: string): string {
  return `${id.slice(0, 4)}${id.slice(9, 11)}..${id.slice(-4)}`;
}
