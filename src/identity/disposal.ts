import { MessageChannel, type MessagePort } from "node:worker_threads";

/** Bytes: what is shorter costs the collector less than handing it over does. */
const WORTH = 4_096;

/**
 * Gives memory back at once. What a cipher makes lies in a buffer of its own outside of V8's heap. Left to the collector, a stream takes memory
 * that is cold each time, and V8 counts all of it as growth, for which it collects sooner and marks the whole heap more often. A port that
 * is closed lets go of what is handed to it.
 */
export class Disposal {
  readonly #nowhere: MessagePort;

  constructor() {
    const { port1 } = new MessageChannel();
    port1.close();
    this.#nowhere = port1;
  }

  /** `bytes` may be empty afterwards. What is short, or a part of a larger buffer, is left to the collector. */
  dispose({ buffer, byteLength }: Uint8Array): void {
    if (byteLength < WORTH || byteLength !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return;
    this.#nowhere.postMessage(null, [buffer]);
  }
}
