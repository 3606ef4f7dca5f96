import { Inlet } from "./inlet.ts";
import { HIGH_WATER } from "./socket-pipe.ts";
import type { Pipe, PipeHandlers } from "./transport.ts";
import { formatMeshUrl, type MeshUrl } from "./url.ts";

type Schedule = (fn: () => void) => void;

interface Write {
  readonly bytes: Uint8Array;
  readonly done: (() => void) | undefined;
}

/** The end of the one who dialled `to`, and the end of the one who was dialled by `from`. */
export function connectedPipes(to: MeshUrl, from: MeshUrl, schedule: Schedule): [near: Pipe, far: Pipe] {
  const near = new MemoryPipe(to, schedule);
  const far = new MemoryPipe(from, schedule);
  near.join(far);
  far.join(near);
  return [near, far];
}

class MemoryPipe implements Pipe {
  readonly remote: string;
  readonly remoteHost: string;
  readonly secure = false;
  readonly #schedule: Schedule;
  readonly #inlet = new Inlet();
  #other: MemoryPipe | undefined;
  #reading = false;
  #closing = false;
  #closed = false;
  /** Written, and not yet read by the other end. */
  #queue: Write[] = [];
  #pending = 0;
  #full = false;
  #pumping = false;

  constructor(remote: MeshUrl, schedule: Schedule) {
    this.remote = formatMeshUrl(remote);
    this.remoteHost = remote.host;
    this.#schedule = schedule;
  }

  join(other: MemoryPipe): void {
    this.#other = other;
  }

  open(handlers: PipeHandlers): void {
    this.#inlet.open(handlers);
    this.#read();
  }

  write(bytes: Uint8Array, done?: () => void): boolean {
    if (this.#closing || this.#closed) {
      if (done !== undefined) this.#schedule(done);
      return false;
    }
    this.#queue.push({ bytes, done });
    this.#pending += bytes.length;
    this.pumpSoon();
    if (this.#pending < HIGH_WATER) return true;
    this.#full = true;
    return false;
  }

  get pending(): number {
    return this.#pending;
  }

  pause(): void {
    if (this.#closing) return;
    this.#inlet.pause();
    this.#reading = false;
  }

  resume(): void {
    if (this.#closing) return;
    this.#inlet.resume();
    this.#read();
  }

  close(abort = false): void {
    // What the other end left here at its close may still wait to be read.
    this.#inlet.discard();
    if (this.#closed) return;
    this.#closing = true;
    if (abort) this.#end();
    else this.#schedule(() => this.#finish());
  }

  /** Moves what is queued to the other end, later. */
  pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#schedule(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #read(): void {
    this.#reading = true;
    if (this.#other !== undefined) this.#other.pumpSoon();
  }

  #pump(): void {
    const other = this.#other;
    if (other === undefined) return;
    // Not what is written meanwhile: that has its own turn.
    const here = this.#queue.length;
    let sent = 0;
    while (other.#reading && !this.#closed && sent < here) {
      const write = this.#queue[sent++];
      if (write !== undefined) this.#deliver(write, other);
    }
    this.#queue.splice(0, sent);
    if (this.#queue.length > 0 && other.#reading && !this.#closed) this.pumpSoon();
    if (this.#queue.length > 0 || !this.#full || this.#closed) return;
    this.#full = false;
    this.#inlet.drain();
  }

  #deliver({ bytes, done }: Write, other: MemoryPipe): void {
    this.#pending -= bytes.length;
    if (bytes.length > 0) other.#inlet.take(bytes);
    done?.();
  }

  /** Leaves the rest of the output with the other end, which may read it after the close, as it could with a socket. */
  #finish(): void {
    if (this.#closed || this.#other === undefined) return;
    for (const write of this.#queue.splice(0)) this.#deliver(write, this.#other);
    this.#end();
  }

  #end(): void {
    for (const pipe of [this, this.#other]) {
      if (pipe === undefined || pipe.#closed) continue;
      pipe.#closed = true;
      this.#schedule(() => pipe.#settle());
    }
  }

  #settle(): void {
    this.#pending = 0;
    for (const { done } of this.#queue.splice(0)) done?.();
    this.#inlet.close();
  }
}
