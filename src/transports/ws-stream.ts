import { Duplex } from "node:stream";
import { HIGH_WATER, type SocketPipe } from "./socket-pipe.ts";
import { WsFrames } from "./ws-frames.ts";

/**
 * What `ws` takes for its socket: bytes that come in are read into the buffer that all sockets share, and handed to `ws` frame by frame, where
 * a socket's own `data` events would make a buffer for each read, and `ws` another for each message.
 */
export class WsStream extends Duplex {
  readonly under: SocketPipe;
  #frames: WsFrames | undefined;
  #behind: Uint8Array | undefined;

  /** `under` is not open yet. */
  constructor(under: SocketPipe) {
    // Nothing may wait in here when the handshake is over.
    super({ readableHighWaterMark: 1, writableHighWaterMark: HIGH_WATER });
    this.under = under;
    under.open({
      onData: (chunk) => this.#take(chunk),
      onDrain: () => this.emit("drain"),
      onClose: () => this.destroy(),
    });
  }

  /** The handshake is over: from now on frames come, of which none is read until the pipe is resumed. */
  begin(masked: boolean): void {
    const frames = new WsFrames(masked, (bytes) => {
      // Also while `ws` has paused this: it does so for a moment after each larger chunk, which it has taken nevertheless.
      // It has stopped listening where it was told of the end, or has found an error.
      if (this.listenerCount("data") > 0) this.emit("data", bytes);
    });
    this.#frames = frames;
    this.under.pause();
    if (this.#behind !== undefined) frames.put(this.#behind);
    this.#behind = undefined;
  }

  #take(chunk: Uint8Array): void {
    if (this.#frames !== undefined) this.#frames.put(chunk);
    else if (!this.push(Buffer.from(chunk))) this.under.pause();
  }

  /** `ws` gives back what came behind the handshake. */
  override unshift(chunk: Uint8Array): boolean {
    this.#behind = chunk;
    return true;
  }

  override _read(): void {
    if (this.#frames === undefined) this.under.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.under.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.under.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#frames?.end();
    this.under.close(true);
    done(error);
  }
}
