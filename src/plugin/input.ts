import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EMPTY, fromUtf8Lossy } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import type { WorkAbort } from "./abort.ts";
import type { ByteSource } from "./contract.ts";
import type { Input } from "./definition.ts";

const LIMIT = 64 * 1024 * 1024;

/** A work's payload as its plugin reads it: once, in one of five ways. */
export class WorkInput implements Input {
  readonly #source: ByteSource;
  readonly #abort: WorkAbort;
  #taken: string | undefined;
  #stream: Readable | undefined;
  #folder: string | undefined;
  #closed = false;
  #stop: (() => void) | undefined;

  constructor(source: ByteSource, abort: WorkAbort) {
    this.#source = source;
    this.#abort = abort;
  }

  get length(): number | undefined {
    return this.#source.inline?.length;
  }

  bytes(limit = LIMIT): Promise<Uint8Array> {
    const { inline } = this.#source;
    if (inline === undefined || inline.length > limit || this.#taken !== undefined) return this.#gather("bytes()", limit);
    this.#taken = "bytes()";
    return Promise.resolve(inline);
  }

  async text(limit = LIMIT): Promise<string> {
    return fromUtf8Lossy(await this.#gather("text()", limit));
  }

  async json(limit = LIMIT): Promise<unknown> {
    const text = fromUtf8Lossy(await this.#gather("json()", limit));
    if (text.trim() === "") return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new MeshError("INVALID_ARGUMENT", "the payload is no JSON", { cause });
    }
  }

  stream(): Readable {
    this.#take("stream()");
    return this.#open();
  }

  async file(): Promise<string> {
    this.#take("file()");
    this.#folder = await mkdtemp(join(tmpdir(), "receptor-input-"));
    const path = join(this.#folder, "payload");
    await pipeline(this.#open(), createWriteStream(path, { mode: 0o600, flags: "wx" }));
    if (this.#closed) await this.#removeFile();
    return path;
  }

  /** The work is over: what nobody read is dropped, the temporary file removed. */
  close(): Promise<void> | undefined {
    this.#closed = true;
    if (this.#stop !== undefined) this.#abort.offAbort(this.#stop);
    if (this.#stream === undefined && this.#source.inline === undefined) this.#open();
    // Not destroyed: its sender may still be sending, and is let finish.
    this.#stream?.resume();
    return this.#folder === undefined ? undefined : this.#removeFile();
  }

  async #gather(how: string, limit: number): Promise<Uint8Array> {
    this.#take(how);
    const { inline } = this.#source;
    if (inline !== undefined) return within(inline, limit);
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of this.#open()) {
      if (!(part instanceof Uint8Array)) throw new MeshError("INTERNAL", "a payload that is not bytes");
      size += part.length;
      if (size > limit) throw tooLarge(limit);
      parts.push(part);
    }
    return parts.length === 0 ? EMPTY : Buffer.concat(parts, size);
  }

  #open(): Readable {
    const stream = this.#source.stream;
    this.#stream = stream;
    // Whoever reads it hears of its end; where nobody does, there is nobody to tell.
    stream.on("error", () => undefined);
    const stop = (): void => void stream.destroy(this.#abort.reason);
    this.#stop = stop;
    if (this.#abort.aborted) stop();
    else this.#abort.onAbort(stop);
    return stream;
  }

  #take(how: string): void {
    if (this.#taken !== undefined) {
      throw new MeshError("WORK_FAILED", `the plugin reads its input with ${how} after ${this.#taken}: it can be read once, in one way`);
    }
    this.#taken = how;
  }

  async #removeFile(): Promise<void> {
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }
}

function within(bytes: Uint8Array, limit: number): Uint8Array {
  if (bytes.length > limit) throw tooLarge(limit);
  return bytes;
}

function tooLarge(limit: number): MeshError {
  return new MeshError("TOO_LARGE", `the payload is larger than ${limit} bytes: read it with stream() or file()`, { data: { limit } });
}
