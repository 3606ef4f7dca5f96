import { nodeId, type NodeId } from "../../src/core/ids.ts";
import type { SlabPool } from "../../src/link/slab.ts";
import { Engine, type EngineHandlers } from "../../src/node/engine/engine.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import type { VirtualClock } from "./clock.ts";
import type { ScaleNetwork } from "./scale-network.ts";

/** Whom a node dials, and at what cost. */
export interface Dial {
  readonly to: string;
  readonly cost: number;
}

export interface ScaleWorld {
  readonly clock: VirtualClock;
  readonly network: ScaleNetwork;
  readonly random: () => number;
  /** One pool for all, of small slabs: a thousand of the usual would hold some hundred megabytes. */
  readonly slabs: SlabPool;
  /** Called for what must not happen. */
  readonly wrong: (what: string) => void;
}

const nothing = (): void => undefined;

/** A node that does nothing but route: the real engine, without work. */
export class ScaleNode {
  readonly id: NodeId;
  readonly dials: readonly Dial[];
  readonly engine: Engine;
  readonly #network: ScaleNetwork;

  constructor(name: string, dials: readonly Dial[], world: ScaleWorld) {
    const { clock, network, random, slabs } = world;
    this.id = nodeId(name);
    this.dials = dials;
    this.#network = network;
    this.engine = new Engine(
      {
        id: this.id,
        boot: Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join(""),
        epoch: 1,
        recentBoots: [],
        version: "0.0.0",
        groups: [],
        leaf: false,
        ephemeral: false,
        store: { maxMessages: 1_000, maxBytes: 1 << 20 },
        retention: 60_000,
      },
      {
        now: () => clock.now,
        wallClock: () => 1_700_000_000_000 + clock.now,
        random,
        randomBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)),
        at: (time, task) => clock.at(time, task),
        soon: (task) => void clock.after(0, task),
        dial: (url, done) => network.dial(name, url, done),
        store: new MemoryStore({ schedule: (task) => void clock.after(1, task) }),
        slabs,
      },
      handlers(name, world),
    );
  }

  start(): void {
    this.#network.listen(this.id, (pipe) => this.engine.accept(pipe, pipe.remote, 1));
    for (const { to, cost } of this.dials) this.engine.links.addPeer(to, cost);
    this.engine.poke();
  }
}

function handlers(name: string, { wrong }: ScaleWorld): EngineHandlers {
  return {
    events: {
      onNode: nothing,
      onLink: nothing,
      onRoutes: nothing,
      onParked: nothing,
      onExpired: nothing,
      onEchoReply: nothing,
      onFatal: (error) => wrong(`${name} is to leave: ${error.message}`),
      onWarning: (message) => wrong(`${name} warns: ${message}`),
      onPeerFailed: nothing,
      onCutOff: nothing,
      onTurnedAway: nothing,
      onUnopened: (why) => wrong(`${name} could not open a frame: ${why}`),
      onBadBody: (error) => wrong(`${name} cannot read a body: ${error.message}`),
      onLost: (kind, count, why) => wrong(`${name} misses ${count} ${kind} records: ${why}`),
      onPersist: (epoch) => wrong(`${name} raises its epoch to ${epoch}`),
    },
    origin: {
      onParked: nothing,
      onAccepted: nothing,
      onResponseBytes: nothing,
      onResponseEnd: nothing,
      onInputWritable: nothing,
      onFailed: nothing,
      onRerun: nothing,
      onRestored: nothing,
      onAttached: nothing,
    },
    destination: {
      isIdempotent: () => false,
      mayFollow: () => true,
      onRequest: nothing,
      onConfirm: nothing,
      onCancel: nothing,
      onPayloadBytes: nothing,
      onPayloadEnd: nothing,
      onResponseWritable: nothing,
    },
    facts: () => ({ version: "0.0.0", running: 0, queued: 0 }),
  };
}
