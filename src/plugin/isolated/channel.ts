import type { Duplex } from "node:stream";
import { toMeshError, type MeshError } from "../../core/errors.ts";
import { type Frame, frameHead, FrameReader, type Kind } from "./frames.ts";

export interface ChannelOptions {
  /** Bytes that the data of one frame may have. */
  readonly limit: number;
  /** What it throws breaks the channel. */
  onFrame(frame: Frame): void;
  /** The other side said what it may not; nothing of it is read from now on. */
  onBroken(error: MeshError): void;
  /** No more frames come, for whatever reason. */
  onClosed(): void;
}

/** Small frames are copied together; larger payloads leave as they are. */
const COPIED = 4 * 1024;

/** Frames over the one pipe between a node and a plugin's process. What is sent in one turn leaves in one write. */
export class Channel {
  readonly #pipe: Duplex;
  #corked = false;
  #broken = false;

  constructor(pipe: Duplex, options: ChannelOptions) {
    this.#pipe = pipe;
    const reader = new FrameReader(options.limit);
    pipe.on("data", (bytes: Uint8Array) => {
      if (this.#broken) return;
      try {
        for (const frame of reader.read(bytes)) options.onFrame(frame);
      } catch (error) {
        this.#broken = true;
        options.onBroken(toMeshError(error));
      }
    });
    // A process that ends takes its pipe with it: `close` follows, and says so.
    pipe.on("error", () => undefined);
    pipe.on("close", () => options.onClosed());
  }

  send(kind: Kind, work: number, ...data: readonly Uint8Array[]): void {
    if (this.#pipe.destroyed || this.#pipe.writableEnded) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#pipe.cork();
      process.nextTick(() => this.flush());
    }
    let length = 0;
    for (const part of data) length += part.length;
    const head = frameHead(kind, work, length);
    if (length <= COPIED) {
      this.#pipe.write(Buffer.concat([head, ...data]));
      return;
    }
    this.#pipe.write(head);
    for (const part of data) if (part.length > 0) this.#pipe.write(part);
  }

  /** What was sent leaves now. */
  flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#pipe.uncork();
  }

  /** Says that nothing more comes. */
  end(): void {
    this.flush();
    this.#pipe.end();
  }
}
