import { hashNodeId } from "../../../src/core/node-hash.ts";
import { type MessageId, nodeId } from "../../../src/core/ids.ts";
import type { MeshError } from "../../../src/core/errors.ts";
import { WRITE_ROOM } from "../../../src/core/limits.ts";
import type { LinkHooks, LinkPort, LinkTimes } from "../../../src/link/contract.ts";
import { LinkSession } from "../../../src/link/session.ts";
import type { SlabPool } from "../../../src/link/slab.ts";
import { LINK_HEADER, OFFSET, PROTOCOL, ROUTED_HEADER, writeLinkHeader, writeRoutedHeader } from "../../../src/wire/frame.ts";
import type { Greeting } from "../../../src/wire/greeting.ts";
import { readMessageId, writeMessageId } from "../../../src/wire/message-id.ts";

/** A small seeded generator (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function greetingOf(name: string, changes: Partial<Greeting> = {}): Greeting {
  const digit = (name.codePointAt(0) ?? 97) % 10;
  return {
    node: nodeId(name),
    instance: String(digit).repeat(32),
    versionMajor: PROTOCOL.major,
    versionMinor: PROTOCOL.minor,
    version: "0.1.0",
    ephemeral: false,
    leaf: false,
    cost: 1,
    capabilities: [],
    ...changes,
  };
}

interface Write {
  readonly bytes: Uint8Array;
  readonly done: () => void;
  readonly spent: boolean;
}

/** A port whose bytes go on when the test says so, and that is full beyond `capacity`. It spoils what is spent, as a WebSocket does. */
export class FakePort implements LinkPort {
  capacity = Number.POSITIVE_INFINITY;
  paused = false;
  closed: "no" | "gently" | "abruptly" = "no";
  writes = 0;
  pending = 0;
  needsDrain = false;
  readonly queue: Write[] = [];

  write(bytes: Uint8Array, done: () => void, spent: boolean): boolean {
    this.writes++;
    if (this.closed !== "no") {
      done();
      return true;
    }
    this.queue.push({ bytes, done, spent });
    if (spent) new Uint8Array(bytes.buffer, bytes.byteOffset - WRITE_ROOM, WRITE_ROOM).fill(0xee);
    this.pending += bytes.length;
    if (this.pending > this.capacity) this.needsDrain = true;
    return !this.needsDrain;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close(abort: boolean): void {
    if (abort) this.closed = "abruptly";
    else if (this.closed === "no") this.closed = "gently";
  }

  /** The bytes of the oldest write, as they are now. */
  take(): Uint8Array | undefined {
    const write = this.queue.shift();
    if (write === undefined) return undefined;
    this.pending -= write.bytes.length;
    const copy = write.bytes.slice();
    if (write.spent) write.bytes.fill(0xee);
    write.done();
    return copy;
  }
}

export interface SeenFrame {
  readonly kind: number;
  readonly length: number;
  readonly id: MessageId | undefined;
  readonly bytes: Uint8Array;
}

export interface EndOptions {
  readonly greeting?: Greeting;
  readonly seed?: number;
  readonly slabs?: SlabPool;
  readonly times?: Partial<LinkTimes>;
  readonly verdict?: (greeting: Greeting) => MeshError | undefined | "later";
}

/** One session with a port and hooks that write down what happens. */
export class End {
  readonly port = new FakePort();
  readonly session: LinkSession;
  readonly log: string[] = [];
  readonly frames: SeenFrame[] = [];
  /** Bytes of the buffer that each of them came in. */
  readonly memory: number[] = [];
  readonly closes: { readonly reason: MeshError | undefined; readonly byPeer: boolean }[] = [];
  readonly dropped: { readonly kind: number; readonly bytes: number }[] = [];
  writable = 0;
  dirty = false;
  onFrame: (frame: SeenFrame) => void = () => {};
  onClosed: () => void = () => {};
  onWritable: () => void = () => {};

  constructor(name: string, role: "dialer" | "listener", options: EndOptions = {}) {
    const hooks: LinkHooks = {
      onGreeting: (greeting) => {
        this.log.push(`greeting ${greeting.node}`);
        return options.verdict?.(greeting);
      },
      onUp: () => this.log.push("up"),
      onLinkFrame: (_now, kind, body) => this.#seen({ kind, length: body.length + LINK_HEADER, id: undefined, bytes: body.slice() }, body),
      onRouted: (_now, bytes, _view, start, end) => {
        const kind = bytes[start + OFFSET.kind] ?? 0;
        const seen = { kind, length: end - start, id: readMessageId(bytes, start + OFFSET.id), bytes: bytes.slice(start, end) };
        this.#seen(seen, bytes);
      },
      onWritable: () => {
        this.writable++;
        this.onWritable();
      },
      onClosed: (reason, byPeer) => {
        this.log.push("closed");
        this.closes.push({ reason, byPeer });
        this.onClosed();
      },
      onDropped: (kind, bytes) => this.dropped.push({ kind, bytes }),
      markDirty: () => {
        this.dirty = true;
      },
    };
    const local = options.greeting ?? greetingOf(name);
    const base = { local, role, random: seeded(options.seed ?? 1) };
    const extra = { ...(options.slabs ? { slabs: options.slabs } : {}), ...(options.times ? { times: options.times } : {}) };
    this.session = new LinkSession({ ...base, ...extra }, this.port, hooks);
  }

  #seen(frame: SeenFrame, { buffer }: Uint8Array): void {
    this.memory.push(buffer.byteLength);
    this.frames.push(frame);
    this.onFrame(frame);
  }

  flush(now: number): void {
    this.dirty = false;
    this.session.flush(now);
  }
}

/** Two sessions and the pipe between them, in virtual time. */
export class Pair {
  now = 1_000;
  /** Milliseconds from one end to the other. */
  delay = 0;
  /** Whether bytes of `a` reach `b`, and the other way round. */
  readonly cut = { a: false, b: false };
  readonly a: End;
  readonly b: End;
  readonly #flying: { readonly at: number; readonly to: End; readonly bytes: Uint8Array }[] = [];

  constructor(a: EndOptions = {}, b: EndOptions = {}) {
    this.a = new End("alpha", "dialer", { seed: 1, ...a });
    this.b = new End("beta", "listener", { seed: 2, ...b });
  }

  start(): this {
    this.a.session.start(this.now);
    this.b.session.start(this.now);
    this.settle();
    return this;
  }

  /** Everything that happens at this instant. */
  settle(): void {
    for (let busy = true; busy; ) {
      busy = this.#step(this.a, this.b, this.cut.a);
      busy = this.#step(this.b, this.a, this.cut.b) || busy;
      const next = this.#flying.findIndex((flight) => flight.at <= this.now);
      const flight = next < 0 ? undefined : this.#flying.splice(next, 1)[0];
      if (flight !== undefined) {
        busy = true;
        flight.to.session.receive(this.now, flight.bytes);
      }
    }
  }

  /** Runs virtual time on by `span`, from wake to wake. */
  run(span: number): void {
    const end = this.now + span;
    for (;;) {
      this.settle();
      let next = end;
      for (const each of [this.a, this.b]) next = Math.min(next, each.session.nextWake() ?? end);
      for (const flight of this.#flying) next = Math.min(next, flight.at);
      const moved = next > this.now;
      if (this.now >= end && !moved) break;
      this.now = Math.max(this.now, next);
      this.a.session.wake(this.now);
      this.b.session.wake(this.now);
      if (!moved && this.now >= end) break;
    }
    this.settle();
  }

  #step(from: End, to: End, cut: boolean): boolean {
    let busy = from.dirty;
    if (from.dirty) from.flush(this.now);
    while (!to.port.paused) {
      const bytes = from.port.take();
      if (bytes === undefined) break;
      busy = true;
      if (!cut) this.#flying.push({ at: this.now + this.delay, to, bytes });
    }
    if (from.port.needsDrain && from.port.pending === 0) {
      from.port.needsDrain = false;
      busy = true;
      from.session.drained(this.now);
    }
    return busy;
  }
}

export function frame(kind: number, flags = 0, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(LINK_HEADER + body.length);
  writeLinkHeader(new DataView(bytes.buffer), 0, bytes.length, kind, flags);
  bytes.set(body, LINK_HEADER);
  return bytes;
}

export const idOf = (serial: number): MessageId => `00000000-0000-4000-8000-${serial.toString(16).padStart(12, "0")}` as MessageId;

/** A routed frame of `length` bytes in all. */
export function routed(kind: number, serial: number, length = 256, flags = 0): Uint8Array {
  const bytes = new Uint8Array(Math.max(length, ROUTED_HEADER)).fill(serial & 0xff);
  const destination = hashNodeId("omega");
  const source = hashNodeId("alpha");
  writeRoutedHeader(new DataView(bytes.buffer), 0, bytes.length, {
    kind,
    flags,
    hops: 0,
    destinationHigh: destination.high,
    destinationLow: destination.low,
    sourceHigh: source.high,
    sourceLow: source.low,
    ttl: 1_000,
    auxiliary: 0,
  });
  writeMessageId(bytes, OFFSET.id, idOf(serial));
  return bytes;
}

export function send(end: End, bytes: Uint8Array): boolean {
  return end.session.sendRouted(bytes, 0, bytes.length);
}
