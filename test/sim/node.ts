import type { MeshError } from "../../src/core/errors.ts";
import { type MessageId, type NodeId, nodeId } from "../../src/core/ids.ts";
import type { Instant } from "../../src/core/instant.ts";
import type { Delivery } from "../../src/delivery/delivery.ts";
import type { SlabPool } from "../../src/link/slab.ts";
import { Engine } from "../../src/node/engine/engine.ts";
import type { SealingMeans } from "../../src/node/engine/engine-options.ts";
import { beginLife, EpochKeeper, type Life as Identity } from "../../src/node/life.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import type { Signatures } from "../../src/routing/proof.ts";
import type { Store } from "../../src/storage/store.ts";
import type { VirtualClock } from "./clock.ts";
import type { Ledger } from "./ledger.ts";
import type { SimNetwork } from "./network.ts";
import { type Order, SimProgram } from "./program.ts";
import { SimWorker } from "./worker.ts";

/** What a node's worker and program see of the life that they run in. */
export interface Life {
  readonly node: NodeId;
  readonly engine: Engine;
  readonly ledger: Ledger;
  readonly random: () => number;
  now(): Instant;
  /** Runs `task` after a time, if this life still lasts. */
  later(delay: number, task: (delivery: Delivery) => void): void;
}

export interface SimPeer {
  readonly host: string;
  readonly cost: number;
}

export interface SimWorld {
  readonly clock: VirtualClock;
  readonly network: SimNetwork;
  readonly random: () => number;
  readonly ledger: Ledger;
  readonly tell: (line: string) => void;
  /** Messages that one node may park. */
  readonly maxParked: number;
  readonly slabs: SlabPool;
  /** In a mesh with an authority. */
  readonly signaturesOf?: ((id: NodeId) => Signatures) | undefined;
  /** Where what is said is sealed. */
  readonly sealingOf?: ((id: NodeId) => SealingMeans) | undefined;
}

/** How long ended works are kept. */
const RETENTION = 120_000;
const CLOCK_KEY = "delivery/clock";

/** How things were when the store's clock was noted. */
interface Note {
  readonly at: number;
  readonly wallOffset: number;
  readonly lost: { readonly time: number };
}

/** One node of the simulation: the real engine over an imagined disk, clock and network, with a program and a worker around it. */
export class SimNode {
  readonly id: NodeId;
  readonly peers: readonly SimPeer[];
  readonly #world: SimWorld;
  #store: MemoryStore;
  /** Counts lives; what an earlier one had planned does not run. */
  #life = 0;
  #alive = false;
  #backlog: (() => void)[] = [];
  engine: Engine | undefined;
  program: SimProgram | undefined;
  /** This node was told to leave the mesh. */
  fatal: MeshError | undefined;
  /** Added to wall time. */
  /** Its wall clock was set forth at some time. */
  setForth = false;
  #wallOffset = 0;
  /** Since when the process runs, or runs on. */
  upSince = 0;
  /** Of this life. */
  #lost: { time: number } = { time: 0 };
  starts = 0;
  /** The epoch with which its present life began. */
  epoch = 0;
  /** Counts the disks that it has had. */
  disk = 1;
  /** Notes of the store's clock, one of which is on the disk: the last that was confirmed, and those that were begun since. */
  #notes: Note[] = [];
  /** When it last tried to note it. */
  notedAt = 0;
  /** Before and after each task of the store. */
  onStoreTask: (where: "before" | "after") => void = () => undefined;
  /** Until a crash: so many more tasks of the store, of which the last is not done (`before`) or done (`after`). */
  fuse: { left: number; readonly where: "before" | "after"; readonly blow: () => void } | undefined;

  constructor(id: string, peers: readonly SimPeer[], world: SimWorld) {
    this.id = nodeId(id);
    this.peers = peers;
    this.#world = world;
    this.#store = this.#newStore();
  }

  /** The process runs. */
  get up(): boolean {
    return this.#alive;
  }

  get frozen(): boolean {
    return this.#world.network.isFrozen(this.id);
  }

  get wallOffset(): number {
    return this.#wallOffset;
  }

  /** Sets the wall clock of its host. */
  set wallOffset(offset: number) {
    if (offset > this.#wallOffset) this.setForth = true;
    this.#wallOffset = offset;
  }

  /** Time that this life can know nothing of: the node was off, and its wall clock went back. */
  get uncounted(): number {
    return this.#lost.time;
  }

  /** From now on the disk takes no writes; undefined: it does again. */
  failDisk(code: "STORE_FULL" | "STORE_CORRUPT" | undefined): void {
    this.#store.fail(code);
  }

  get store(): MemoryStore {
    return this.#store;
  }

  start(): void {
    const { clock, random, tell } = this.#world;
    const life = ++this.#life;
    this.#alive = true;
    this.#backlog = [];
    this.fatal = undefined;
    this.#lost = { time: 0 };
    const notes = [...this.#notes];
    const countLost = (): number => (this.#lost.time = Math.max(0, ...notes.map((note) => this.#lostSince(note))));
    countLost();
    this.starts++;
    this.upSince = clock.now;
    tell(`${this.id} starts`);
    beginLife(this.#store, randomBytes(random), (error, identity) => {
      if (this.#life !== life || !this.#alive) return;
      // As the real node would: it says why, and is started again by whoever watches it.
      if (identity === undefined) {
        tell(`${this.id} cannot start: ${error?.code ?? "no life"}`);
        this.crash(false);
        clock.after(1_000, () => this.#alive || this.start());
        return;
      }
      this.#run(life, identity, countLost);
    });
  }

  /** As `kill -9` would; `wipe` takes the disk too. */
  crash(wipe: boolean): void {
    if (!this.#alive) return;
    this.#end();
    this.#world.network.crash(this.id);
    const store = this.#store.crash(this.#world.random);
    this.#store = wipe ? this.#newStore() : store;
    if (!wipe) return;
    this.disk++;
    this.#notes = [];
  }

  /** As SIGTERM would: says goodbye, and writes what it has begun to write. */
  stop(): void {
    if (!this.#alive || this.frozen) return;
    this.engine?.stop();
    this.#end();
    this.#world.network.unlisten(this.id);
  }

  /** As SIGSTOP would. */
  freeze(): void {
    if (!this.#alive || this.frozen) return;
    this.#world.network.freeze(this.id);
  }

  thaw(): void {
    if (!this.#alive || !this.frozen) return;
    const { clock, network } = this.#world;
    this.upSince = clock.now;
    const backlog = this.#backlog;
    this.#backlog = [];
    network.thaw(this.id);
    for (const task of backlog) task();
  }

  send(order: Order): MessageId | undefined {
    return this.frozen ? undefined : this.program?.send(order);
  }

  /** Whether a durable message of this node is on its disk: before that its sender has been promised nothing. */
  /** Whether it is on the disk that the node has taken the message. */
  hasJournaled(id: MessageId): boolean {
    return this.#store.count(`journal/${id}`) > 0;
  }

  hasStored(id: MessageId): boolean {
    const phase = this.engine?.delivery.origin.find(id)?.phase;
    return phase !== undefined && phase !== "storing" && phase !== "accepted" && phase !== "attaching";
  }

  #end(): void {
    this.engine = undefined;
    this.program = undefined;
    this.fuse = undefined;
    this.#alive = false;
    this.#life++;
  }

  /** Wraps what this life has planned: a later life does not run it, and while the process stands still it waits. */
  #task(life: number, run: () => void): () => void {
    return () => {
      if (this.#life !== life || !this.#alive) return;
      if (this.frozen) {
        this.#backlog.push(this.#task(life, run));
        return;
      }
      run();
      this.#world.network.touched(this.id);
    };
  }

  #run(life: number, identity: Identity, onRestored: () => void): void {
    const { clock, network, random, ledger, tell } = this.#world;
    this.epoch = identity.epoch;
    // Monotonic clocks begin anywhere.
    const zero = Math.floor(random() * 1e6) - clock.now;
    const guarded = (run: () => void): (() => void) => this.#task(life, run);
    const context: Life = {
      node: this.id,
      get engine(): Engine {
        return engine;
      },
      ledger,
      random,
      now: () => clock.now + zero,
      later: (delay, task) =>
        void clock.after(
          delay,
          guarded(() => {
            task(engine.delivery);
            engine.poke();
          }),
        ),
    };
    const epochs = new EpochKeeper(
      this.#store,
      identity,
      (delay, task) => clock.after(delay, guarded(task)),
      (error) => tell(`${this.id} cannot store its epoch: ${error.code}`),
    );
    const program = new SimProgram(context);
    const engine: Engine = new Engine(
      {
        id: this.id,
        boot: identity.boot,
        epoch: identity.epoch,
        recentBoots: identity.recentBoots,
        version: "0.0.0",
        groups: [],
        leaf: false,
        ephemeral: false,
        store: { maxMessages: this.#world.maxParked, maxBytes: 64 * 1024 * 1024 },
        retention: RETENTION,
        signatures: this.#world.signaturesOf?.(this.id),
        sealing: this.#world.sealingOf?.(this.id),
      },
      {
        now: context.now,
        wallClock: () => 1_700_000_000_000 + clock.now + this.wallOffset,
        random,
        randomBytes: randomBytes(random),
        // Not a moment early, however the sums are rounded.
        at: (time, task) => clock.at(time - zero + 0.001, guarded(task)),
        soon: (task) => void clock.after(0, guarded(task)),
        dial: (url, done) =>
          network.dial(this.id, url, (error, pipe) => {
            guarded(() => done(error, pipe))();
          }),
        store: this.#noting(this.#store),
        slabs: this.#world.slabs,
      },
      {
        events: {
          onNode: () => undefined,
          onLink: (type, link) => tell(`${this.id} ${type} ${link.peer}`),
          onRoutes: () => undefined,
          onParked: (_destination, _messages, ids) => {
            for (const id of ids()) ledger.parked(id, this.id);
          },
          onExpired: () => undefined,
          onEchoReply: () => undefined,
          onFatal: (error) => {
            this.fatal = error;
          },
          onWarning: (message, error) => tell(`${this.id} warns: ${message}: ${error.code}`),
          onPeerFailed: () => undefined,
          onCutOff: () => undefined,
          onTurnedAway: () => undefined,
          onUnopened: (why) => ledger.unopened(this.id, why),
          onBadBody: (error) => ledger.badBody(this.id, error),
          onLost: (kind, count, why) => {
            throw new Error(`${this.id} misses ${count} ${kind} records on a disk that loses nothing: ${why}`);
          },
          onPersist: (epoch) => epochs.raise(epoch),
        },
        origin: program,
        destination: new SimWorker(context),
        facts: () => ({ version: "0.0.0", running: 0, queued: 0 }),
      },
    );
    // A node has no links before it has read its disk.
    engine.restore((error) => {
      if (this.#life !== life || error !== undefined) return;
      onRestored();
      this.engine = engine;
      this.program = program;
      network.listen(this.id, (pipe) => guarded(() => engine.accept(pipe, pipe.remote, 1))());
      engine.delivery.relay.announce(context.now());
      for (const { host, cost } of this.peers) engine.links.addPeer(host, cost);
      engine.poke();
    });
  }

  #lostSince({ at, wallOffset, lost }: Note): number {
    return lost.time + (this.wallOffset < wallOffset ? this.#world.clock.now - at : 0);
  }

  /** The store, with an eye on its clock. */
  #noting(store: MemoryStore): Store {
    return {
      stats: store.stats,
      get: (key, done) => store.get(key, done),
      scan: (range, take, done) => store.scan(range, take, done),
      close: () => store.close(),
      write: (operations, done) => {
        if (operations[0]?.key !== CLOCK_KEY) return store.write(operations, done);
        this.notedAt = this.#world.clock.now;
        const note = { at: this.notedAt, wallOffset: this.wallOffset, lost: this.#lost };
        this.#notes.push(note);
        store.write(operations, (error) => {
          const at = this.#notes.indexOf(note);
          this.#notes.splice(error === undefined ? 0 : at, error === undefined ? at : 1);
          done(error);
        });
      },
    };
  }

  #newStore(): MemoryStore {
    const { clock, random } = this.#world;
    let last = 0;
    return new MemoryStore({
      schedule: (task) => {
        // Mostly quick, at times a disk takes its time, as before a crash; always in order.
        const takes = this.fuse !== undefined || random() < 0.05 ? random() * 400 : random() * 3;
        last = Math.max(last, clock.now + takes);
        clock.at(last, () => this.#storeTask(task));
      },
    });
  }

  #storeTask(task: () => void): void {
    // The kernel writes on while the process stands still, but nobody hears of it.
    if (this.#alive && this.frozen) {
      this.#backlog.push(() => this.#storeTask(task));
      return;
    }
    const { fuse } = this;
    if (fuse === undefined || --fuse.left > 0) {
      this.onStoreTask("before");
      task();
      return this.onStoreTask("after");
    }
    this.fuse = undefined;
    if (fuse.where === "after") task();
    fuse.blow();
  }
}

function randomBytes(random: () => number): (count: number) => Uint8Array {
  return (count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256));
}
