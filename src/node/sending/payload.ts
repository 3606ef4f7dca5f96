import { Readable, Writable } from "node:stream";
import { utf8 } from "../../core/bytes.ts";
import { MeshError, toMeshError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { piecesOf } from "../../plugin/pieces.ts";
import type { SendPayload } from "../api.ts";

/** A payload that travels in the message, or one that follows as a stream. */
export type Prepared =
  | { readonly type: "inline"; readonly bytes: Uint8Array }
  | { readonly type: "stream"; readonly source: PayloadSource };

/** Yields bytes or text, or what is refused. */
export type PayloadSource = AsyncIterable<unknown> | Iterable<unknown>;

/** Throws INVALID_ARGUMENT for what cannot be sent. */
export function preparePayload(payload: SendPayload | undefined): Prepared {
  if (payload === undefined) return { type: "inline", bytes: new Uint8Array(0) };
  if (typeof payload === "string") return fromBytes(utf8(payload));
  if (payload instanceof Uint8Array) return fromBytes(payload);
  if (payload instanceof Readable) return { type: "stream", source: piecesOf(payload) };
  if (isAsyncIterable(payload) || isIterator(payload)) return { type: "stream", source: payload };
  let text: string | undefined;
  try {
    text = JSON.stringify(payload);
  } catch (cause) {
    throw new MeshError("INVALID_ARGUMENT", "the payload is neither text, bytes, a stream, nor JSON", { cause });
  }
  if (text === undefined) throw new MeshError("INVALID_ARGUMENT", "the payload is neither text, bytes, a stream, nor JSON");
  return fromBytes(utf8(text));
}

function fromBytes(bytes: Uint8Array): Prepared {
  return bytes.length <= LIMITS.inlinePayload ? { type: "inline", bytes } : { type: "stream", source: [bytes] };
}

function isAsyncIterable(value: object | number | boolean | null): value is AsyncIterable<Uint8Array> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** What a generator function returns, say. */
function isIterator(value: object | number | boolean | null): value is IterableIterator<Uint8Array> {
  return typeof value === "object" && value !== null && Symbol.iterator in value && "next" in value && typeof value.next === "function";
}

function bytesOf(piece: unknown): Uint8Array {
  const bytes = typeof piece === "string" ? utf8(piece) : piece;
  if (!(bytes instanceof Uint8Array)) throw new MeshError("INVALID_ARGUMENT", "a payload stream yields bytes or text");
  return bytes;
}

/** Where a payload stream goes: the sending end of one message. */
export interface InputPort {
  /** False: wait for the next `onWritable`. */
  write(bytes: Uint8Array): boolean;
  end(): void;
  /** The source failed: the message is of no use any more. */
  fail(error: MeshError): void;
  readonly over: boolean;
}

/** Feeds a message's payload stream at the pace that its destination reads. */
export class InputFeed {
  readonly #port: InputPort;
  #wake: (() => void) | undefined;

  constructor(port: InputPort) {
    this.#port = port;
  }

  onWritable(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Sends all of `source`, and ends the stream unless it is to stay open. */
  async pump(source: PayloadSource, stayOpen: boolean): Promise<void> {
    try {
      for await (const piece of source) {
        const bytes = bytesOf(piece);
        for (let at = 0; at < bytes.length; at += LIMITS.chunk) {
          if (this.#port.over) return;
          if (!this.#port.write(bytes.subarray(at, at + LIMITS.chunk))) await this.#writable();
        }
      }
      if (!stayOpen) this.#port.end();
    } catch (error) {
      const cause = toMeshError(error, "PAYLOAD_UNREADABLE");
      this.#port.fail(cause.code === "INTERNAL" ? new MeshError("PAYLOAD_UNREADABLE", cause.message, { cause }) : cause);
    }
  }

  /** A stream that a program writes to. */
  writable(before: Promise<void>): Writable {
    return new Writable({
      write: (chunk: Uint8Array, _encoding, done) => {
        void before.then(() => this.#writeAll(chunk)).then(() => done(), done);
      },
      final: (done) => {
        void before.then(() => {
          this.#port.end();
          done();
        });
      },
    });
  }

  async #writeAll(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += LIMITS.chunk) {
      if (this.#port.over) throw new MeshError("CLOSED", "the work is over: it takes no more input");
      if (!this.#port.write(chunk.subarray(at, at + LIMITS.chunk))) await this.#writable();
    }
  }

  #writable(): Promise<void> {
    if (this.#port.over) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
