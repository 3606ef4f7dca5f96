import { MeshError } from "../../src/core/errors.ts";
import type { Pipe } from "../../src/transports/transport.ts";
import type { VirtualClock } from "./clock.ts";
import { SimPipe } from "./pipe.ts";

/** How the way between two hosts is at the moment, in one direction. */
export interface Way {
  /** Milliseconds. */
  delay: number;
  /** Bytes vanish, and nobody is told. */
  silent: boolean;
}

const DIAL_TIMEOUT = 10_000;

/** Connections between named hosts, in virtual time: delays, resets, ways that go silent (one-sided too), hosts that stand still. */
export class SimNetwork {
  readonly clock: VirtualClock;
  readonly random: () => number;
  readonly #ways = new Map<string, Way>();
  readonly #listeners = new Map<string, (pipe: Pipe) => void>();
  readonly #pipes = new Map<string, Set<SimPipe>>();
  readonly #frozen = new Set<string>();
  /** Which share of the routed frames is dropped on the way, arrives twice, arrives late, behind others. */
  losses = 0;
  doubles = 0;
  shuffles = 0;
  /** Each frame as a node gives it to its host; it must not be changed. */
  onFrame: ((from: string, to: string, frame: Uint8Array) => void) | undefined;
  /** A frame that is on its way though no node has said it there: doubled on the way, or of a host's own making. */
  onExtra: ((to: string, frame: Uint8Array) => void) | undefined;
  /** What a frame that leaves a host becomes, where the host does not send what its node says. */
  tamper: ((from: string, to: string, frame: Uint8Array) => readonly Uint8Array[]) | undefined;
  /** Something came in at this host: a frame of this kind, or else its time had come. */
  touched: (host: string, kind?: number) => void = () => undefined;

  constructor(clock: VirtualClock, random: () => number) {
    this.clock = clock;
    this.random = random;
  }

  listen(host: string, onPipe: (pipe: Pipe) => void): void {
    this.#listeners.set(host, onPipe);
  }

  unlisten(host: string): void {
    this.#listeners.delete(host);
  }

  way(from: string, to: string): Way {
    const key = `${from}>${to}`;
    let way = this.#ways.get(key);
    if (way === undefined) {
      way = { delay: 1 + 2 * this.random(), silent: false };
      this.#ways.set(key, way);
    }
    return way;
  }

  dial(from: string, to: string, done: (error: MeshError | undefined, pipe: Pipe | undefined) => void): () => void {
    let cancelled = false;
    const there = this.way(from, to);
    const back = this.way(to, from);
    if (there.silent || back.silent) {
      return this.clock.after(DIAL_TIMEOUT, () => done(new MeshError("TIMEOUT", "the dial timed out"), undefined));
    }
    this.clock.after(there.delay + back.delay, () => {
      if (cancelled) return;
      const listener = this.#listeners.get(to);
      if (listener === undefined) return done(new MeshError("CONNECT_FAILED", "refused"), undefined);
      const near = new SimPipe(from, to, this);
      const far = new SimPipe(to, from, this);
      near.other = far;
      far.other = near;
      this.#remember(near);
      this.#remember(far);
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
    this.#frozen.delete(host);
    for (const pipe of [...(this.#pipes.get(host) ?? [])]) pipe.vanish();
  }

  /** Resets every connection between two hosts. */
  reset(a: string, b: string): void {
    for (const pipe of [...(this.#pipes.get(a) ?? [])]) if (pipe.peer === b) pipe.break();
    for (const pipe of [...(this.#pipes.get(b) ?? [])]) if (pipe.peer === a) pipe.break();
  }

  isFrozen(host: string): boolean {
    return this.#frozen.has(host);
  }

  /** The host's process stands still: the kernel goes on taking its connections and bytes. */
  freeze(host: string): void {
    this.#frozen.add(host);
  }

  thaw(host: string): void {
    this.#frozen.delete(host);
    for (const pipe of [...(this.#pipes.get(host) ?? [])]) pipe.release();
  }

  forget(pipe: SimPipe): void {
    this.#pipes.get(pipe.host)?.delete(pipe);
  }

  #remember(pipe: SimPipe): void {
    const known = this.#pipes.get(pipe.host);
    if (known === undefined) this.#pipes.set(pipe.host, new Set([pipe]));
    else known.add(pipe);
  }
}
