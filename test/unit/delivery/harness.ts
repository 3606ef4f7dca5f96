import { isMeshError, type MeshError } from "../../../src/core/errors.ts";
import { type MessageId, type NodeId, nodeId } from "../../../src/core/ids.ts";
import { TIMES } from "../../../src/core/limits.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { Delivery } from "../../../src/delivery/delivery.ts";
import type { EchoReply } from "../../../src/delivery/echo.ts";
import type { ParkLimits } from "../../../src/delivery/parking/park-queue.ts";
import type { WorkRequest } from "../../../src/delivery/ports.ts";
import { MemoryStore } from "../../../src/storage/memory-store.ts";
import { readRoutedHeader, type RoutedHeader } from "../../../src/wire/frame.ts";
import { encodeMetadata } from "../../../src/wire/message.ts";
import { VirtualClock } from "../../sim/clock.ts";

/** A frame on its way from one node to a neighbour. */
export interface Flight extends RoutedHeader {
  readonly from: string;
  readonly to: string;
  readonly at: number;
  readonly frame: Uint8Array;
}

export interface NodeOptions {
  readonly parks: boolean;
  readonly park: ParkLimits;
  readonly retention: number;
  readonly journaled?: number;
  readonly late: { readonly seen: number; readonly journal: number };
  readonly keepersBind: boolean;
}

const DEFAULTS: NodeOptions = {
  parks: true,
  park: { messages: 1_000, bytes: 1 << 24 },
  retention: 60_000,
  late: { seen: TIMES.late, journal: TIMES.late },
  keepersBind: true,
};

/** Some instances of Delivery in virtual time, over ways that can be slow, lose frames, be cut or have no room. */
export class Net {
  readonly clock = new VirtualClock();
  readonly nodes = new Map<string, Peer>();
  readonly flights: Flight[] = [];
  /** Next hop by `from>destination`; where there is none, the destination itself. */
  readonly via = new Map<string, string>();
  readonly cut = new Set<string>();
  readonly full = new Set<string>();
  /** Milliseconds by `from>to`. */
  readonly delay = new Map<string, number>();
  lose: (flight: Flight) => boolean = () => false;

  constructor(names: readonly string[], options: Partial<NodeOptions> = {}) {
    for (const name of names) this.nodes.set(name, new Peer(this, nodeId(name), { ...DEFAULTS, ...options }));
  }

  node(name: string): Peer {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  nameOf(high: number, low: number): string | undefined {
    for (const name of this.nodes.keys()) {
      const hash = hashNodeId(name);
      if (hash.high === high && hash.low === low) return name;
    }
    return undefined;
  }

  /** The neighbour that a frame goes to next, if there is a way. */
  next(from: string, to: string): string | undefined {
    if (from === to) return to;
    const hop = this.via.get(`${from}>${to}`) ?? to;
    return this.cut.has(`${from}>${hop}`) ? undefined : hop;
  }

  /** Cuts or opens ways, and tells every node that routes moved. */
  routes(change: { readonly cut?: readonly string[]; readonly open?: readonly string[] }): void {
    for (const way of change.cut ?? []) this.cut.add(way);
    for (const way of change.open ?? []) this.cut.delete(way);
    for (const node of this.nodes.values()) node.act((delivery) => delivery.routesChanged(this.clock.now));
  }

  carry(from: string, to: string, frame: Uint8Array): void {
    const view = new DataView(frame.buffer);
    const flight = { ...readRoutedHeader(view, 0), from, to, at: this.clock.now, frame: frame.slice() };
    this.flights.push(flight);
    if (from !== to && this.lose(flight)) return;
    this.clock.after(from === to ? 0 : (this.delay.get(`${from}>${to}`) ?? 1), () => this.node(to).arrive(frame));
  }

  run(milliseconds: number): void {
    this.clock.runUntil(this.clock.now + milliseconds, 5_000_000);
  }

  /** Flights of one kind over one way. */
  over(way: string, kind?: number): Flight[] {
    return this.flights.filter((flight) => `${flight.from}>${flight.to}` === way && (kind === undefined || flight.kind === kind));
  }
}

/** One node: a Delivery, its imagined disk, and what it told its program. */
export class Peer {
  readonly net: Net;
  readonly id: NodeId;
  readonly options: NodeOptions;
  store: MemoryStore;
  life = 1;
  storeName: number;
  wallOffset = 0;
  /** What this node believes of the lives and stores of others; default the truth. */
  believes: { life?: number; store?: number } = {};
  delivery: Delivery;
  readonly told: string[] = [];
  /** Who spoke of what is another's. */
  readonly denied: string[] = [];
  readonly restored: string[] = [];
  readonly errors: MeshError[] = [];
  readonly requests: WorkRequest[] = [];
  readonly bytes = new Map<MessageId, Uint8Array[]>();
  readonly echoes: EchoReply[] = [];
  idempotent = false;
  /** Whether others than the sender of a work may have its responses. */
  shares = true;
  badBodies = 0;
  /** How a request is answered; default: accepted, answered with its own payload, ended. */
  onRequest: (request: WorkRequest) => void = (request) => this.answer(request);
  onPayload: (id: MessageId, bytes: Uint8Array) => void = (id, bytes) => this.delivery.destination.consumed(id, bytes.length);
  onWritable: (id: MessageId) => void = () => undefined;
  /** Whether response bytes are taken at once. */
  consumes = true;
  #generation = 0;
  #lanes = 0;
  #wake: (() => void) | undefined;
  #dirty = false;
  /** A node has no links before it has read its disk. */
  #restoring = false;

  constructor(net: Net, id: NodeId, options: NodeOptions) {
    this.net = net;
    this.id = id;
    this.options = options;
    this.storeName = hashNodeId(`${id} store`).low;
    this.store = this.#newStore();
    this.delivery = this.#make();
  }

  /** Calls into delivery, then does what the engine does after each input. */
  act<T>(call: (delivery: Delivery) => T): T {
    const result = call(this.delivery);
    this.#soon();
    return result;
  }

  send(
    to: string,
    options: { ttl?: number; durable?: boolean; hold?: boolean; streamed?: boolean; payload?: Uint8Array; directive?: string } = {},
  ): MessageId {
    return this.act(({ origin }) =>
      origin.send(this.net.clock.now, {
        node: nodeId(to),
        metadata: encodeMetadata(this.id, options.directive ?? "test:run", {}),
        payload: options.payload ?? new Uint8Array([1, 2, 3]),
        streamed: options.streamed ?? false,
        ttl: options.ttl ?? 60_000,
        deadline: undefined,
        durable: options.durable ?? false,
        hold: options.hold ?? false,
      }),
    );
  }

  /** Messages on the disk. */
  get kept(): number {
    return this.store.count("park/") + this.store.count("outbox/") + this.store.count("journal/");
  }

  answer(request: WorkRequest): void {
    const { destination } = this.delivery;
    destination.accept(request.id);
    destination.respond(request.id, { content: "bytes", channel: undefined }, request.payload);
    this.end(request.id);
  }

  end(id: MessageId): void {
    this.act(({ destination }) => destination.end(this.net.clock.now, id, { state: "succeeded", exitCode: undefined, error: undefined }));
  }

  receive(frame: Uint8Array): void {
    if (this.#restoring) return;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    this.act((delivery) => delivery.receive(this.net.clock.now, frame, view, 0, frame.length));
  }

  /** As the engine does: a bad body says nothing against the link that it came by. */
  arrive(frame: Uint8Array): void {
    try {
      this.receive(frame);
    } catch (error) {
      if (!isMeshError(error)) throw error;
      this.badBodies++;
    }
  }

  /** Ends this life and begins another; `wipe`: on a new disk. What was told stays. */
  restart(options: { wipe?: boolean; off?: number } = {}): void {
    this.#generation++;
    this.#wake?.();
    const store = this.store.crash(() => 0);
    this.store = options.wipe === true ? this.#newStore() : store;
    if (options.wipe === true) this.storeName++;
    this.life++;
    if (options.off !== undefined) this.net.run(options.off);
    this.delivery = this.#make();
    this.#restoring = true;
    this.delivery.restore((error) => {
      if (error !== undefined) this.errors.push(error);
      this.#restoring = false;
      this.delivery.relay.announce(this.net.clock.now);
      this.#soon();
      for (const other of this.net.nodes.values())
        if (other !== this) other.act((delivery) => delivery.restarted(this.net.clock.now, this.id));
    });
  }

  /** All response bytes of a message, in the order in which they came. */
  received(id: MessageId): Uint8Array {
    return Uint8Array.from((this.bytes.get(id) ?? []).flatMap((part) => [...part]));
  }

  #newStore(): MemoryStore {
    return new MemoryStore({ schedule: (task) => void this.net.clock.after(2, task) });
  }

  #soon(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    const generation = this.#generation;
    this.net.clock.after(0, () => {
      this.#dirty = false;
      if (generation !== this.#generation) return this.#soon();
      this.delivery.flush(this.net.clock.now);
      this.#rewake();
    });
  }

  #rewake(): void {
    this.#wake?.();
    const at = this.delivery.nextWake();
    if (at === undefined) return;
    const generation = this.#generation;
    this.#wake = this.net.clock.at(at, () => {
      if (generation !== this.#generation) return;
      this.delivery.wake(this.net.clock.now);
      this.#soon();
    });
  }

  #make(): Delivery {
    const { net } = this;
    const hop = (high: number, low: number): string | undefined => {
      const to = net.nameOf(high, low);
      return to === undefined ? undefined : net.next(this.id, to);
    };
    const of = (high: number, low: number): Peer | undefined => net.nodes.get(net.nameOf(high, low) ?? "");
    return new Delivery(
      {
        self: this.id,
        life: this.life,
        store: this.storeName,
        ...this.options,
        randomBytes: (count) => new Uint8Array(count).fill(this.#lanes++ & 0xff, 1).fill(this.id.charCodeAt(0), 0, 1),
        clock: () => net.clock.now,
      },
      {
        transmit: (frame, start, end) => {
          const to = hop(
            new DataView(frame.buffer, frame.byteOffset).getUint32(start + 8),
            new DataView(frame.buffer, frame.byteOffset).getUint32(start + 12),
          );
          if (to === undefined || net.full.has(`${this.id}>${to}`)) return false;
          net.carry(this.id, to, frame.slice(start, end));
          return true;
        },
        handOver: (frame) => {
          for (const name of net.nodes.keys()) {
            if (name === this.id || net.cut.has(`${this.id}>${name}`)) continue;
            net.carry(this.id, name, frame.slice());
            return true;
          }
          return false;
        },
        hasRoute: (high, low) => hop(high, low) !== undefined,
        silent: () => undefined,
        congested: (high, low) => net.full.has(`${this.id}>${hop(high, low)}`),
        lifeOf: (high, low) => this.believes.life ?? of(high, low)?.life ?? 0,
        storeOf: (high, low) => this.believes.store ?? of(high, low)?.storeName ?? 0,
        nodeOf: (high, low) => of(high, low)?.id,
        denied: ({ high, low }) => this.denied.push(of(high, low)?.id ?? "?"),
        records: {
          write: (operations, done) => this.store.write(operations, done),
          get: (key, done) => this.store.get(key, done),
          scan: (range, take, done) => this.store.scan(range, take, done),
        },
        wallClock: () => 1_700_000_000_000 + net.clock.now + this.wallOffset,
        markDirty: () => this.#soon(),
      },
      {
        origin: {
          onRestored: (_id, node, directive) => this.restored.push(`${directive} at ${node}`),
          onParked: (_id, node) => this.told.push(`parked ${node}`),
          onAccepted: () => this.told.push("accepted"),
          onResponseBytes: (id, bytes) => {
            const list = this.bytes.get(id) ?? [];
            list.push(bytes.slice());
            this.bytes.set(id, list);
            if (this.consumes) this.delivery.origin.following.consumed(id, bytes.length);
          },
          onResponseEnd: () => this.told.push("end"),
          onInputWritable: (id) => this.onWritable(id),
          onFailed: (_id, error) => {
            this.told.push(error.code);
            this.errors.push(error);
          },
          onRerun: () => undefined,
          onAttached: (_id, serial) => this.told.push(`attached ${serial}`),
        },
        destination: {
          isIdempotent: () => this.idempotent,
          mayFollow: (asker, sender) => this.shares || asker === sender,
          onRequest: (request) => {
            this.requests.push(request);
            this.onRequest(request);
          },
          onConfirm: () => this.told.push("confirm"),
          onCancel: (_id, error) => this.told.push(`cancel ${error.code}`),
          onPayloadBytes: (id, bytes) => this.onPayload(id, bytes),
          onPayloadEnd: () => this.told.push("payload end"),
          onResponseWritable: (id) => this.onWritable(id),
        },
        park: {
          onParked: () => this.told.push("parks"),
          onExpired: () => this.told.push("expires"),
          onTrouble: (error) => {
            this.told.push(`trouble ${error.code}`);
            this.errors.push(error);
          },
        },
        disk: { onLost: (kind, count) => this.told.push(`lost ${count} ${kind}`) },
        echo: { facts: () => ({ version: "1.2.3", running: 1, queued: 2 }), onReply: (_id, reply) => this.echoes.push(reply) },
      },
    );
  }
}
