import { Readable } from "node:stream";
import { Fifo } from "../core/fifo.ts";
import { MeshError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { ByteSource } from "./contract.ts";
import { unfilled } from "./unfilled.ts";

/** Whole chunks that are handed over as one piece: to hand over a piece costs about what it costs to copy it. */
const TOGETHER = 2;

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

/** A payload that arrives in pieces, as a stream that holds its sender to its reader's pace. */
export class PayloadStream {
  readonly #waiting = new Fifo<Uint8Array>();
  /** What came last, and how much of it has come: the next chunk may fit behind it. */
  #block: Uint8Array | undefined;
  #filled = 0;
  readonly #consumed: (count: number) => void;
  #reader: Readable | undefined;
  #wanted = false;
  #pushing = false;
  #end: "open" | "whole" | MeshError = "open";
  #dropped = false;

  /** `consumed`: so many bytes were read, or will not be. */
  constructor(consumed: (count: number) => void) {
    this.#consumed = consumed;
  }

  /** Whether anybody has begun to read. */
  get opened(): boolean {
    return this.#reader !== undefined;
  }

  get readable(): Readable {
    return (this.#reader ??= this.#open());
  }

  add(bytes: Uint8Array): void {
    if (this.#dropped) return this.#consumed(bytes.length);
    this.#closeBlock();
    this.#waiting.push(bytes);
    this.#push();
  }

  /** As `add`, for bytes that are there during the call alone. */
  addCopy(bytes: Uint8Array): void {
    if (this.#dropped) return this.#consumed(bytes.length);
    if (this.#block === undefined || bytes.length > this.#block.length - this.#filled) {
      this.#closeBlock();
      this.#block = unfilled(bytes.length < LIMITS.chunk ? bytes.length : TOGETHER * LIMITS.chunk);
    }
    this.#block.set(bytes, this.#filled);
    this.#filled += bytes.length;
    if (this.#filled === this.#block.length) this.#closeBlock();
    // After what has come with it.
    if (this.#wanted) this.#pushSoon();
  }

  /** It is whole; or nothing more comes, for this reason. What waits is read first. The first call counts. */
  finish(error?: MeshError): void {
    if (this.#end !== "open") return;
    this.#end = error ?? "whole";
    this.#push();
  }

  /** What was not read will not be; who reads is told so. */
  close(): void {
    this.#drop();
    if (this.#reader?.readableEnded === false) this.#reader.destroy(gone());
  }

  #open(): Readable {
    const reader = new Readable({
      // One piece at a time, and after `read` has returned: of two that wait a byte stream makes one, by copying both.
      highWaterMark: 1,
      read: () => {
        this.#wanted = true;
        if (this.#waits || this.#end !== "open") this.#pushSoon();
      },
      destroy: (error, done) => {
        this.#drop();
        done(error);
      },
    });
    // It may fail when nobody reads it any more, and then there is nobody to tell.
    reader.on("error", () => undefined);
    return this.#dropped ? reader.destroy(gone()) : reader;
  }

  #pushSoon(): void {
    if (this.#pushing) return;
    this.#pushing = true;
    queueMicrotask(() => {
      this.#pushing = false;
      this.#push();
    });
  }

  #push(): void {
    const reader = this.#reader;
    if (reader === undefined || this.#dropped) return;
    const bytes = this.#wanted ? this.#next() : undefined;
    if (bytes !== undefined) {
      this.#wanted = false;
      reader.push(bytes);
      this.#consumed(bytes.length);
    }
    if (this.#waits || this.#end === "open") return;
    if (this.#end === "whole") reader.push(null);
    // Not before it asks for more than it has: what it holds unread would go too.
    else if (this.#wanted) reader.destroy(this.#end);
  }

  get #waits(): boolean {
    return this.#waiting.size > 0 || this.#block !== undefined;
  }

  #next(): Uint8Array | undefined {
    if (this.#waiting.size === 0) this.#closeBlock();
    return this.#waiting.shift();
  }

  /** Nothing is added to the block any more. */
  #closeBlock(): void {
    const block = this.#block;
    if (block === undefined) return;
    this.#waiting.push(this.#filled === block.length ? block : block.subarray(0, this.#filled));
    this.#block = undefined;
    this.#filled = 0;
  }

  #drop(): void {
    this.#dropped = true;
    for (let bytes = this.#next(); bytes !== undefined; bytes = this.#next()) this.#consumed(bytes.length);
  }
}

function gone(): MeshError {
  return new MeshError("CLOSED", "what was not read in time is gone: the work is over, or its next response was asked for");
}
