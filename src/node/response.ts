import { Readable } from "node:stream";
import { concat, EMPTY, fromUtf8Lossy } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import type { Content } from "../wire/record.ts";
import type { Response } from "./api.ts";

/** Called as the program takes bytes, so that more may come. */
export type Consumed = (count: number) => void;

/** One response of a work, as a program reads it. */
export class WorkResponse implements Response {
  readonly serial: number;
  readonly channel: string | undefined;
  /** Bytes of the stream that count as consumed when the program takes it. */
  readonly size: number;
  readonly #content: Content;
  readonly #bytes: Uint8Array | undefined;
  readonly #body: StreamedBody | undefined;

  constructor(serial: number, channel: string | undefined, content: Content, body: Uint8Array | StreamedBody, size: number) {
    this.serial = serial;
    this.size = size;
    this.channel = channel;
    this.#content = content;
    this.#bytes = body instanceof Uint8Array ? body : undefined;
    this.#body = body instanceof Uint8Array ? undefined : body;
  }

  get payload(): unknown {
    if (this.#bytes === undefined) return undefined;
    if (this.#content === "bytes") return this.#bytes;
    return this.#content === "text" ? this.text() : this.json();
  }

  bytes(): Uint8Array {
    if (this.#bytes === undefined) throw new MeshError("INVALID_ARGUMENT", "this response is streamed: read it with stream()");
    return this.#bytes;
  }

  text(): string {
    return fromUtf8Lossy(this.bytes());
  }

  json(): unknown {
    const text = this.text();
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new MeshError("INVALID_ARGUMENT", "this response is no JSON", { cause });
    }
  }

  stream(): Readable {
    return this.#body === undefined ? Readable.from([this.#bytes ?? EMPTY], { objectMode: false }) : this.#body.read();
  }

  /** The program has turned to the next response: what it did not take of this one is dropped. */
  abandon(): void {
    this.#body?.abandon();
  }
}

/** The payload of a response that arrives in pieces, held back to the pace of its reader. */
export class StreamedBody {
  readonly #consumed: Consumed;
  readonly #waiting: Uint8Array[] = [];
  #reader: Readable | undefined;
  #end: "open" | "whole" | MeshError = "open";
  #abandoned = false;

  constructor(consumed: Consumed) {
    this.#consumed = consumed;
  }

  add(bytes: Uint8Array): void {
    if (this.#abandoned) return this.#consumed(bytes.length);
    this.#waiting.push(bytes);
    this.#push();
  }

  finish(error?: MeshError): void {
    if (this.#end !== "open") return;
    this.#end = error ?? "whole";
    this.#push();
  }

  read(): Readable {
    if (this.#reader !== undefined) throw new MeshError("INVALID_ARGUMENT", "this response is being read already");
    this.#reader = new Readable({
      highWaterMark: 64 * 1024,
      read: () => {
        this.#wanted = true;
        this.#push();
      },
      destroy: (error, done) => {
        this.abandon();
        done(error);
      },
    });
    return this.#reader;
  }

  abandon(): void {
    if (this.#abandoned || (this.#reader !== undefined && !this.#reader.destroyed)) return;
    this.#abandoned = true;
    this.#consumed(concat(this.#waiting).length);
    this.#waiting.length = 0;
  }

  #wanted = false;

  #push(): void {
    const reader = this.#reader;
    if (reader === undefined || reader.destroyed) return;
    while (this.#wanted) {
      const bytes = this.#waiting.shift();
      if (bytes === undefined) break;
      this.#wanted = reader.push(bytes);
      this.#consumed(bytes.length);
    }
    if (this.#waiting.length > 0 || this.#end === "open") return;
    if (this.#end === "whole") reader.push(null);
    else reader.destroy(this.#end);
  }
}
