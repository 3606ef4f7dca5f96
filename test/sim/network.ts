import { MeshError } from "../../src/core/errors.ts";
import type { Pipe, PipeHandlers } from "../../src/transports/transport.ts";
import type { VirtualClock } from "./clock.ts";

/** How the way between two nodes is at the moment, in one direction. */
export interface Way {
  /** Milliseconds. */
  delay: number;
  /** Bytes vanish, and nobody is told. */
  silent: boolean;
}

/** Byte pipes between named hosts, in virtual time: delays, resets, and ways that go silent, one-sided too. */
export class SimNetwork {
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  readonly #ways = new Map<string, Way>();
  readonly #listeners = new Map<string, (pipe: Pipe) => void>();
  readonly #pipes = new Set<SimPipe>();
  baseDelay = 2;

  constructor(clock: VirtualClock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  listen(host: string, onPipe: (pipe: Pipe) => void): void {
    this.#listeners.set(host, onPipe);
  }

  way(from: string, to: string): Way {
    const key = `${from}>${to}`;
    let way = this.#ways.get(key);
    if (way === undefined) {
      way = { delay: this.baseDelay * (0.5 + this.#random()), silent: false };
      this.#ways.set(key, way);
    }
    return way;
  }

  dial(from: string, to: string, done: (error: MeshError | undefined, pipe: Pipe | undefined) => void): () => void {
    let cancelled = false;
    const there = this.way(from, to);
    const back = this.way(to, from);
    if (there.silent || back.silent) {
      return this.#clock.after(10_000, () => done(new MeshError("TIMEOUT", "the dial timed out"), undefined));
    }
    this.#clock.after(there.delay + back.delay, () => {
      if (cancelled) return;
      const listener = this.#listeners.get(to);
      if (listener === undefined) return done(new MeshError("CONNECT_FAILED", "refused"), undefined);
      const near = new SimPipe(this.#clock, from, to, this);
      const far = new SimPipe(this.#clock, to, from, this);
      near.other = far;
      far.other = near;
      this.#pipes.add(near);
      this.#pipes.add(far);
      listener(far);
      done(undefined, near);
    });
    return () => {
      cancelled = true;
    };
  }

  /** The host's process is gone: its ends vanish, the others are reset. */
  crash(host: string): void {
    this.#listeners.delete(host);
    for (const pipe of [...this.#pipes]) if (pipe.host === host) pipe.vanish();
  }

  /** Resets every pipe between two hosts. */
  reset(a: string, b: string): void {
    for (const pipe of [...this.#pipes]) if ((pipe.host === a && pipe.peer === b) || (pipe.host === b && pipe.peer === a)) pipe.break();
  }

  forget(pipe: SimPipe): void {
    this.#pipes.delete(pipe);
  }
}

class SimPipe implements Pipe {
  readonly remote: string;
  readonly remoteHost: string;
  readonly secure = false;
  readonly host: string;
  readonly peer: string;
  readonly pending = 0;
  other: SimPipe | undefined;
  readonly #clock: VirtualClock;
  readonly #network: SimNetwork;
  #handlers: PipeHandlers | undefined;
  #early: (() => void)[] = [];
  #paused = false;
  #closed = false;
  #lastArrival = 0;

  constructor(clock: VirtualClock, host: string, peer: string, network: SimNetwork) {
    this.#clock = clock;
    this.#network = network;
    this.host = host;
    this.peer = peer;
    this.remote = `sim://${peer}`;
    this.remoteHost = peer;
  }

  open(handlers: PipeHandlers): void {
    this.#handlers = handlers;
    this.#release();
  }

  write(bytes: Uint8Array, done?: () => void): boolean {
    const copy = bytes.slice();
    if (done !== undefined) this.#clock.after(0, done);
    if (!this.#closed) this.#send((to) => to.#deliver(copy));
    return true;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#release();
  }

  close(): void {
    if (this.#closed) return;
    this.#send((to) => to.#end(undefined));
    this.#clock.after(0, () => this.#end(undefined));
  }

  /** The process is gone. */
  vanish(): void {
    this.#closed = true;
    this.#handlers = undefined;
    this.#network.forget(this);
    this.#send((to) => to.#end(new MeshError("CONNECT_FAILED", "reset")), true);
  }

  break(): void {
    this.#end(new MeshError("CONNECT_FAILED", "reset"));
  }

  #send(act: (to: SimPipe) => void, even = false): void {
    const other = this.other;
    const way = this.#network.way(this.host, this.peer);
    if (other === undefined || (way.silent && !even) || way.silent) return;
    // One way keeps its order, whatever its delay becomes.
    this.#lastArrival = Math.max(this.#lastArrival, this.#clock.now + way.delay);
    this.#clock.at(this.#lastArrival, () => act(other));
  }

  #deliver(bytes: Uint8Array): void {
    this.#act(() => this.#handlers?.onData(bytes));
  }

  #end(error: MeshError | undefined): void {
    if (this.#closed) return;
    this.#act(() => {
      if (this.#closed) return;
      this.#closed = true;
      this.#network.forget(this);
      this.#handlers?.onClose(error);
    });
  }

  #act(action: () => void): void {
    if (this.#closed) return;
    if (this.#handlers === undefined || this.#paused) this.#early.push(action);
    else action();
  }

  #release(): void {
    while (!this.#paused && this.#handlers !== undefined) {
      const action = this.#early.shift();
      if (action === undefined) return;
      action();
    }
  }
}
