import { Readable } from "node:stream";
import { EMPTY, fromUtf8Lossy } from "../../core/bytes.ts";
import { MeshError } from "../../core/errors.ts";
import type { PayloadStream } from "../../plugin/payload-stream.ts";
import type { Content } from "../../wire/record.ts";
import type { Response } from "../api.ts";

/** One response of a work, as a program reads it. */
export class WorkResponse implements Response {
  readonly serial: number;
  readonly channel: string | undefined;
  /** Bytes of the stream that count as consumed when the program takes it. */
  readonly size: number;
  readonly #content: Content;
  readonly #bytes: Uint8Array | undefined;
  readonly #body: PayloadStream | undefined;

  constructor(serial: number, channel: string | undefined, content: Content, body: Uint8Array | PayloadStream, size: number) {
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
    if (this.#body === undefined) return Readable.from([this.#bytes ?? EMPTY], { objectMode: false });
    if (this.#body.opened) throw new MeshError("INVALID_ARGUMENT", "this response is being read already");
    return this.#body.readable;
  }

  /** The program has turned to the next response: what it did not take of this one is dropped. */
  abandon(): void {
    if (this.#body?.opened === false) this.#body.close();
  }
}
