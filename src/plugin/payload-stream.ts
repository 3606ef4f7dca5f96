import { Readable } from "node:stream";
import { MeshError } from "../core/errors.ts";
import type { ByteSource } from "./contract.ts";

/** A payload that came with its message. */
export class InlineSource implements ByteSource {
  readonly inline: Uint8Array;

  constructor(inline: Uint8Array) {
    this.inline = inline;
  }

  get stream(): Readable {
    const readable = new Readable({ read: () => undefined });
    if (this.inline.length > 0) readable.push(this.inline);
    readable.push(null);
    return readable;
  }
}

/** A payload that arrives in pieces, as a stream that holds its sender to the plugin's pace. */
export class PayloadStream {
  readonly readable: Readable;
  readonly #waiting: Uint8Array[] = [];
  readonly #consumed: (count: number) => void;
  #wanted = false;
  #whole = false;

  constructor(consumed: (count: number) => void) {
    this.#consumed = consumed;
    this.readable = new Readable({
      // One piece at a time, and after \`read\` has returned: of two that wait a byte stream makes one, by copying both.
      highWaterMark: 1,
      read: () => {
        this.#wanted = true;
        if (this.#waiting.length > 0 || this.#whole) queueMicrotask(() => this.#push());
      },
    });
    // An abort destroys the stream; a plugin that does not read it has no error to hear of.
    this.readable.on("error", () => undefined);
  }

  add(bytes: Uint8Array): void {
    if (this.readable.destroyed) return this.#consumed(bytes.length);
    this.#waiting.push(bytes);
    this.#push();
  }

  finish(): void {
    this.#whole = true;
    this.#push();
  }

  /** The work is over. */
  close(): void {
    if (!this.readable.readableEnded) this.readable.destroy(new MeshError("CLOSED", "the work is over"));
    for (const bytes of this.#waiting.splice(0)) this.#consumed(bytes.length);
  }

  #push(): void {
    const bytes = this.#wanted ? this.#waiting.shift() : undefined;
    if (bytes !== undefined) {
      this.#wanted = false;
      this.readable.push(bytes);
      this.#consumed(bytes.length);
    }
    if (this.#whole && this.#waiting.length === 0 && !this.readable.destroyed) this.readable.push(null);
  }
}
