import { MeshError } from "../../src/core/errors.ts";
import type { Pipe, PipeHandlers } from "../../src/transports/transport.ts";
import { FIRST_ROUTED_KIND, FLAG, FRAME, OFFSET } from "../../src/wire/frame.ts";
import { FrameParser } from "../../src/wire/parser.ts";
import type { SimNetwork } from "./network.ts";

/**
 * One end of a connection between two hosts. Bytes of one way keep their order, as TCP's do; routed frames may be lost, doubled or held
 * back on the way, as relays and a mesh of many paths do to them.
 */
export class SimPipe implements Pipe {
  readonly remote: string;
  readonly remoteHost: string;
  readonly secure = false;
  readonly host: string;
  readonly peer: string;
  readonly pending = 0;
  other: SimPipe | undefined;
  readonly #network: SimNetwork;
  readonly #parser = new FrameParser((bytes, _view, start, end) => this.#frame(bytes, start, end));
  #handlers: PipeHandlers | undefined;
  #early: (() => void)[] = [];
  #paused = false;
  #closed = false;
  #lastArrival = 0;
  #batch: Uint8Array[] = [];

  constructor(host: string, peer: string, network: SimNetwork) {
    this.#network = network;
    this.host = host;
    this.peer = peer;
    this.remote = `sim://${peer}`;
    this.remoteHost = peer;
  }

  open(handlers: PipeHandlers): void {
    this.#handlers = handlers;
    this.release();
  }

  write(bytes: Uint8Array, done?: () => void): boolean {
    if (done !== undefined) this.#network.clock.after(0, done);
    if (this.#closed) return true;
    this.#parser.push(bytes);
    const batch = this.#batch;
    this.#batch = [];
    for (const frame of batch) this.#send((to) => to.#deliver(frame));
    return true;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.release();
  }

  close(): void {
    if (this.#closed) return;
    this.#send((to) => to.#end(undefined));
    this.#network.clock.after(0, () => this.#end(undefined));
  }

  /** The process is gone. */
  vanish(): void {
    this.#closed = true;
    this.#handlers = undefined;
    this.#network.forget(this);
    this.#send((to) => to.#end(new MeshError("CONNECT_FAILED", "reset")));
  }

  break(): void {
    this.#end(new MeshError("CONNECT_FAILED", "reset"));
  }

  /** Hands on what came while nobody could take it. */
  release(): void {
    while (this.#ready) {
      const action = this.#early.shift();
      if (action === undefined) return;
      action();
    }
  }

  get #ready(): boolean {
    return !this.#paused && this.#handlers !== undefined && !this.#network.isFrozen(this.host);
  }

  #frame(bytes: Uint8Array, start: number, end: number): void {
    const said = bytes.slice(start, end);
    const { tamper, onFrame, onExtra } = this.#network;
    onFrame?.(this.host, this.peer, said);
    if (tamper === undefined) return this.#leave(said);
    for (const frame of tamper(this.host, this.peer, said)) {
      if (frame !== said) onExtra?.(this.peer, frame);
      this.#leave(frame);
    }
  }

  #leave(frame: Uint8Array): void {
    const kind = frame[4] ?? 0;
    const { losses, doubles, shuffles } = this.#network;
    if (kind >= FIRST_ROUTED_KIND && losses + doubles + shuffles > 0) {
      const { random, clock } = this.#network;
      if (random() < losses) return;
      const late = (copy: Uint8Array): void =>
        void clock.after(random() * 2_000, () => !this.#closed && this.#send((to) => to.#deliver(copy)));
      const flags = frame[OFFSET.flags] ?? 0;
      // TCP doubles nothing: a message comes twice only as one that its origin has sent again, and what is sealed only its origin can mark so.
      const once = kind === FRAME.message && (flags & FLAG.sealed) !== 0 && (flags & FLAG.resent) === 0;
      if (random() < doubles && !once) {
        this.#network.onExtra?.(this.peer, frame);
        const copy = frame.slice();
        if (kind === FRAME.message) copy[OFFSET.flags] = flags | FLAG.resent;
        late(copy);
      }
      if (random() < shuffles) return late(frame);
    }
    this.#batch.push(frame);
  }

  #send(act: (to: SimPipe) => void): void {
    const other = this.other;
    const way = this.#network.way(this.host, this.peer);
    if (other === undefined || way.silent) return;
    // One way keeps its order, whatever its delay becomes.
    this.#lastArrival = Math.max(this.#lastArrival, this.#network.clock.now + way.delay);
    this.#network.clock.at(this.#lastArrival, () => act(other));
  }

  #deliver(bytes: Uint8Array): void {
    this.#act(() => {
      this.#handlers?.onData(bytes);
      this.#network.touched(this.host, bytes[4]);
    });
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
    if (this.#ready && this.#early.length === 0) action();
    else this.#early.push(action);
  }
}
