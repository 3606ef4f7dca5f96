import type { MeshError } from "../../src/core/errors.ts";
import { type MessageId, type NodeId, nodeId } from "../../src/core/ids.ts";
import type { WorkRequest } from "../../src/delivery/ports.ts";
import { Engine } from "../../src/node/engine.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { encodeMetadata } from "../../src/wire/message.ts";
import { RecordReader } from "../../src/wire/record.ts";
import type { VirtualClock } from "./clock.ts";
import type { SimNetwork } from "./network.ts";

/** What the world around the nodes hears of their work. */
export interface Witness {
  dispatched(node: NodeId, request: WorkRequest): void;
  outcome(id: MessageId, outcome: string): void;
  parked(id: MessageId, at: NodeId): void;
}

/** One node of the simulation: the real engine over an imagined disk and network. */
export class SimNode {
  readonly id: NodeId;
  readonly peers: readonly string[];
  readonly #clock: VirtualClock;
  readonly #network: SimNetwork;
  readonly #random: () => number;
  readonly #witness: Witness;
  #disk: { store: MemoryStore; epoch: number; boots: string[] };
  #life = 0;
  engine: Engine | undefined;
  fatal: MeshError | undefined;
  /** Added to wall time. */
  wallOffset = 0;

  constructor(
    id: string,
    peers: readonly string[],
    world: { clock: VirtualClock; network: SimNetwork; random: () => number; witness: Witness },
  ) {
    this.id = nodeId(id);
    this.peers = peers;
    this.#clock = world.clock;
    this.#network = world.network;
    this.#random = world.random;
    this.#witness = world.witness;
    this.#disk = this.#newDisk();
  }

  get up(): boolean {
    return this.engine !== undefined;
  }

  start(): void {
    const life = ++this.#life;
    const disk = this.#disk;
    disk.epoch++;
    const random = Array.from({ length: 32 }, () => Math.floor(this.#random() * 16).toString(16)).join("");
    const boot = (disk.boots.at(-1)?.slice(0, 8) ?? random.slice(0, 8)) + random.slice(8);
    const alive = (task: () => void) => (): void => {
      if (this.#life === life && this.engine !== undefined) task();
    };
    const readers = new Map<MessageId, RecordReader>();
    const engine: Engine = new Engine(
      {
        id: this.id,
        boot,
        epoch: disk.epoch,
        recentBoots: disk.boots.slice(-16),
        version: "0.0.0",
        groups: [],
        leaf: false,
        ephemeral: false,
        store: { maxMessages: 10_000, maxBytes: 64 * 1024 * 1024 },
        retention: 120_000,
      },
      {
        now: () => this.#clock.now,
        wallClock: () => 1_700_000_000_000 + this.#clock.now + this.wallOffset,
        random: this.#random,
        randomBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(this.#random() * 256)),
        at: (time, task) => this.#clock.at(time, alive(task)),
        soon: (task) => void this.#clock.after(0, alive(task)),
        dial: (url, done) => this.#network.dial(this.id, url, (error, pipe) => alive(() => done(error, pipe))()),
        store: disk.store,
      },
      {
        events: {
          onNode: () => undefined,
          onLink: () => undefined,
          onRoutes: () => undefined,
          onParked: (type, id) => type === "parked" && this.#witness.parked(id, this.id),
          onEchoReply: () => undefined,
          onFatal: (error) => {
            this.fatal = error;
          },
          onWarning: () => undefined,
          onPeerFailed: () => undefined,
          onCutOff: () => undefined,
          onBadBody: () => undefined,
          onPersist: (epoch) => {
            disk.epoch = Math.max(disk.epoch, epoch);
          },
        },
        origin: {
          onRestored: () => undefined,
          onParked: () => undefined,
          onAccepted: (id) => this.#witness.outcome(id, "accepted"),
          onResponseBytes: (id, bytes) => {
            let reader = readers.get(id);
            if (reader === undefined) readers.set(id, (reader = new RecordReader()));
            reader.push(bytes, (record) => {
              if (record.type === "end") this.#witness.outcome(id, record.end.error?.code ?? "answered");
            });
            engine.delivery.origin.consumed(this.#clock.now, id, bytes.length);
          },
          onResponseEnd: (id) => void readers.delete(id),
          onInputWritable: () => undefined,
          onFailed: (id, error) => this.#witness.outcome(id, error.code),
          onRerun: (id) => void readers.delete(id),
          onAttached: () => undefined,
        },
        destination: {
          isIdempotent: () => false,
          onRequest: (request) => {
            this.#witness.dispatched(this.id, request);
            engine.delivery.destination.accept(request.id);
            this.#clock.after(
              this.#random() * 200,
              alive(() => {
                engine.delivery.destination.respond(request.id, { content: "bytes", channel: undefined }, request.payload);
                engine.delivery.destination.end(this.#clock.now, request.id, { state: "succeeded", exitCode: undefined, error: undefined });
                engine.poke();
              }),
            );
          },
          onConfirm: () => undefined,
          onCancel: () => undefined,
          onPayloadBytes: () => undefined,
          onPayloadEnd: () => undefined,
          onResponseWritable: () => undefined,
        },
        facts: () => ({ version: "0.0.0", running: 0, queued: 0 }),
      },
    );
    disk.boots.push(boot);
    this.engine = engine;
    // A node has no links before it has read its disk.
    engine.restore((error) => {
      if (error !== undefined) return;
      this.#network.listen(this.id, (pipe) => engine.accept(pipe, pipe.remote, 1));
      engine.delivery.relay.announce(this.#clock.now);
      for (const peer of this.peers) engine.links.addPeer(peer, 1);
      engine.poke();
    });
  }

  /** As `kill -9` would; `wipe` takes the disk too. */
  crash(wipe: boolean): void {
    if (this.engine === undefined) return;
    this.engine = undefined;
    this.#life++;
    this.#network.crash(this.id);
    const store = this.#disk.store.crash(this.#random);
    this.#disk = wipe ? this.#newDisk() : { ...this.#disk, store };
  }

  /** Whether a durable message of this node is on its disk: before that its sender has been promised nothing. */
  hasStored(id: MessageId): boolean {
    const phase = this.engine?.delivery.origin.find(id)?.phase;
    return phase !== undefined && phase !== "storing";
  }

  send(to: NodeId, options: { ttl: number; durable: boolean; bytes: number }): MessageId | undefined {
    const id = this.engine?.delivery.origin.send(this.#clock.now, {
      node: to,
      metadata: encodeMetadata(this.id, "sim:run", {}),
      payload: new Uint8Array(options.bytes),
      streamed: false,
      ttl: options.ttl,
      deadline: undefined,
      durable: options.durable,
      hold: false,
    });
    this.engine?.poke();
    return id;
  }

  #newDisk(): { store: MemoryStore; epoch: number; boots: string[] } {
    return { store: new MemoryStore({ schedule: (task) => void this.#clock.after(this.#random() * 3, task) }), epoch: 0, boots: [] };
  }
}
