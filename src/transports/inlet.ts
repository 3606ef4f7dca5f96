import type { OnReadOpts } from "node:net";
import type { MeshError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { PipeHandlers } from "./transport.ts";

/** A whole credit of a stream comes in one read, with the headers of its chunks and what else is on its way. */
const HEADERS = 16 * 1024;

/**
 * One buffer for every socket: Node fills it and calls back before it reads anything else, and a chunk is valid only
 * during the call. A buffer per socket would cost a thousand idle links 256 MiB.
 */
const SHARED = Buffer.allocUnsafeSlow(LIMITS.credit + HEADERS);

/**
 * The reading half of a pipe: hands chunks to the handlers, in order, and the close once, after them. What the source
 * delivers although it is paused or not yet open (the rest of a decrypted or parsed chunk) is kept until `resume`.
 */
export class Inlet {
  #handlers: PipeHandlers | undefined;
  #paused = false;
  #discarding = false;
  #flushing = false;
  #held: Uint8Array[] = [];
  #end: { readonly error: MeshError | undefined } | undefined;
  #told = false;

  /** For `new Socket({ onread })`: reads into the shared buffer. */
  readonly onread: OnReadOpts = {
    buffer: SHARED,
    // Node reads on after a resume and a pause within one tick; false stops it again.
    callback: (length) => this.take(SHARED.subarray(0, length)),
  };

  open(handlers: PipeHandlers): void {
    this.#handlers = handlers;
    this.#flushSoon();
  }

  /** `chunk` may be reused by the caller afterwards. Returns whether the source should go on. */
  take(chunk: Uint8Array): boolean {
    if (this.#discarding || this.#end !== undefined) return true;
    // A Buffer's slice() shares memory where a Uint8Array's copies: who keeps what it sliced would see it overwritten.
    const plain = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#handlers !== undefined && !this.#paused && this.#held.length === 0) this.#handlers.onData(plain);
    else this.#held.push(plain.slice());
    return !this.#paused && this.#handlers !== undefined;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#flushSoon();
  }

  drain(): void {
    if (!this.#told) this.#handlers?.onDrain();
  }

  /** From now on chunks are dropped, held ones too. */
  discard(): void {
    this.#discarding = true;
    this.#held = [];
    this.#flushSoon();
  }

  /** The source has ended; the first call counts. */
  close(error?: MeshError): void {
    this.#end ??= { error };
    if (this.#held.length === 0) this.#finish();
  }

  #flushSoon(): void {
    if (this.#flushing || (this.#held.length === 0 && this.#end === undefined)) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const handlers = this.#handlers;
    if (handlers === undefined) return;
    let sent = 0;
    while (sent < this.#held.length && !this.#paused && !this.#discarding) {
      const chunk = this.#held[sent++];
      if (chunk !== undefined) handlers.onData(chunk);
    }
    this.#held.splice(0, sent);
    if (this.#held.length === 0) this.#finish();
  }

  #finish(): void {
    if (this.#end === undefined || this.#told || this.#handlers === undefined) return;
    this.#told = true;
    this.#handlers.onClose(this.#end.error);
  }
}
