import { MeshError } from "../../src/core/errors.ts";
import type { Pipe, PipeHandlers } from "../../src/transports/transport.ts";
import type { VirtualClock } from "./clock.ts";

/** The way between two hosts, in both directions. */
interface Way {
  /** Whole milliseconds: frames of many neighbours arrive together, as they do where sockets are read in turn. */
  readonly delay: number;
  /** Bytes vanish, and nobody is told. */
  silent: boolean;
}

/** Pipes in virtual time that cost as little as can be: nothing is copied or looked up by name for a write. */
export class ScaleNetwork {
  /** What was written, from the greetings on. */
  frames = 0;
  bytes = 0;
  readonly clock: VirtualClock;
  readonly #random: () => number;
  readonly #ways = new Map<string, Way>();
  readonly #listeners = new Map<string, (pipe: Pipe) => void>();

  constructor(clock: VirtualClock, random: () => number) {
    this.clock = clock;
    this.#random = random;
  }

  listen(host: string, onPipe: (pipe: Pipe) => void): void {
    this.#listeners.set(host, onPipe);
  }

  way(a: string, b: string): Way {
    const key = a < b ? `${a} ${b}` : `${b} ${a}`;
    let way = this.#ways.get(key);
    if (way === undefined) this.#ways.set(key, (way = { delay: 1 + Math.floor(this.#random() * 4), silent: false }));
    return way;
  }

  dial(from: string, to: string, done: (error: MeshError | undefined, pipe: Pipe | undefined) => void): () => void {
    const way = this.way(from, to);
    if (way.silent) return this.clock.after(10_000, () => done(new MeshError("TIMEOUT", "the dial timed out"), undefined));
    return this.clock.after(2 * way.delay, () => {
      const listener = this.#listeners.get(to);
      if (listener === undefined) return done(new MeshError("CONNECT_FAILED", "refused"), undefined);
      const near = new ScalePipe(this, way, to);
      const far = new ScalePipe(this, way, from);
      near.other = far;
      far.other = near;
      listener(far);
      done(undefined, near);
    });
  }
}

interface Flight {
  readonly bytes: Uint8Array;
  readonly left: (() => void) | undefined;
}

class ScalePipe implements Pipe {
  readonly remote: string;
  readonly remoteHost: string;
  readonly secure = false;
  readonly pending = 0;
  other: ScalePipe | undefined;
  readonly #network: ScaleNetwork;
  readonly #way: Way;
  /** In the order in which they arrive. */
  readonly #flights: Flight[] = [];
  readonly #arrive = (): void => this.#arrived();
  #handlers: PipeHandlers | undefined;
  #closed = false;

  constructor(network: ScaleNetwork, way: Way, peer: string) {
    this.#network = network;
    this.#way = way;
    this.remote = `sim://${peer}`;
    this.remoteHost = peer;
  }

  open(handlers: PipeHandlers): void {
    this.#handlers = handlers;
  }

  /** The bytes stay the writer's until they have arrived: then it hears that they have left. */
  write(bytes: Uint8Array, left?: () => void): boolean {
    const network = this.#network;
    network.bytes += bytes.length;
    for (let at = 0; at + 4 <= bytes.length; at += lengthAt(bytes, at)) network.frames++;
    if (this.#closed || this.#way.silent) {
      if (left !== undefined) network.clock.after(0, left);
      return true;
    }
    this.#flights.push({ bytes, left });
    network.clock.after(this.#way.delay, this.#arrive);
    return true;
  }

  pause(): void {
    throw new RangeError("a mesh that only routes pauses nothing");
  }

  resume(): void {
    throw new RangeError("a mesh that only routes pauses nothing");
  }

  close(): void {
    const { other } = this;
    if (!this.#way.silent) this.#network.clock.after(this.#way.delay, () => other?.end());
    this.#network.clock.after(0, () => this.end());
  }

  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers?.onClose(undefined);
  }

  #arrived(): void {
    const flight = this.#flights.shift();
    if (flight === undefined) return;
    this.other?.take(flight.bytes);
    flight.left?.();
  }

  take(bytes: Uint8Array): void {
    if (!this.#closed) this.#handlers?.onData(bytes);
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  const length =
    ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
  return Math.max(8, length);
}
