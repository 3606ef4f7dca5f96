import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { lostError } from "./errors.ts";
import type { Inlet } from "./inlet.ts";
import type { Pipe, PipeHandlers } from "./transport.ts";

/** Bytes of output that a pipe holds before `write` returns false: enough to keep a link busy, little to wait behind. */
export const HIGH_WATER = 64 * 1024;

/** How long a close waits for output to leave and for the other end to close too. */
export const CLOSE_MS = 1_000;

export interface PipeFacts {
  readonly remote: string;
  readonly remoteHost: string;
  readonly secure: boolean;
  readonly proof?: Proof | undefined;
}

/** Who the other end has shown to be. */
export interface Proof {
  readonly certified: NodeId;
  readonly certificate: X509Certificate;
}

/** A pipe over a TCP or TLS socket. The socket's chunks come through `inlet`; see `tcp.ts` and `tls.ts` for who feeds it. */
export class SocketPipe implements Pipe {
  readonly remote: string;
  readonly remoteHost: string;
  readonly secure: boolean;
  /** Set by who dialled, once the handshake is over. */
  proof: Proof | undefined;
  readonly #socket: Socket;
  readonly #inlet: Inlet;
  #error: MeshError | undefined;
  #full = false;
  #closing = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(socket: Socket, inlet: Inlet, facts: PipeFacts) {
    this.remote = facts.remote;
    this.remoteHost = facts.remoteHost;
    this.secure = facts.secure;
    this.proof = facts.proof;
    this.#socket = socket;
    this.#inlet = inlet;
    socket.pause();
    socket.on("drain", () => {
      if (!this.#full) return;
      this.#full = false;
      inlet.drain();
    });
    socket.on("error", (error) => {
      this.#error ??= lostError(this.remote, error);
    });
    socket.on("end", () => this.#destroySoon());
    socket.on("close", () => {
      clearTimeout(this.#deadline);
      inlet.close(this.#closing ? undefined : this.#error);
    });
  }

  get certified(): NodeId | undefined {
    return this.proof?.certified;
  }

  get certificate(): X509Certificate | undefined {
    return this.proof?.certificate;
  }

  open(handlers: PipeHandlers): void {
    this.#inlet.open(handlers);
    this.#socket.resume();
  }

  write(bytes: Uint8Array, done?: () => void): boolean {
    const socket = this.#socket;
    if (this.#closing || !socket.writable) {
      if (done !== undefined) queueMicrotask(done);
      return false;
    }
    socket.write(bytes, done);
    return this.#hasRoom();
  }

  /** As `write`, of two parts that leave together. */
  writeBoth(head: Uint8Array, bytes: Uint8Array, done?: () => void): boolean {
    const socket = this.#socket;
    socket.cork();
    this.write(head);
    const more = this.write(bytes, done);
    socket.uncork();
    return more;
  }

  #hasRoom(): boolean {
    if (this.#socket.writableLength < HIGH_WATER) return true;
    this.#full = true;
    return false;
  }

  get pending(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength;
  }

  pause(): void {
    if (this.#closing) return;
    this.#inlet.pause();
    this.#socket.pause();
  }

  resume(): void {
    if (this.#closing) return;
    this.#inlet.resume();
    this.#socket.resume();
  }

  close(abort = false): void {
    const first = !this.#closing;
    this.#closing = true;
    this.#inlet.discard();
    if (abort) {
      this.#socket.destroy();
    } else if (first) {
      // The other end's close is behind whatever it has sent, so that must flow, to nowhere.
      this.#socket.resume();
      this.#socket.end();
      this.#destroySoon();
    }
  }

  #destroySoon(): void {
    this.#deadline ??= setTimeout(() => this.#socket.destroy(), CLOSE_MS).unref();
  }
}
