import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EMPTY, fromUtf8Lossy } from "../core/bytes.ts";
import { MeshError } from "../core/errors.ts";
import type { ByteSource } from "./contract.ts";
import type { Input } from "./definition.ts";

const LIMIT = 64 * 1024 * 1024;

/** A work's payload as its plugin reads it: once, in one of five ways. */
export class WorkInput implements Input {
  readonly #source: ByteSource;
  readonly #signal: AbortSignal;
  #taken = false;
  #file: string | undefined;

  constructor(source: ByteSource, signal: AbortSignal) {
    this.#source = source;
    this.#signal = signal;
  }

  async bytes(limit = LIMIT): Promise<Uint8Array> {
    this.#take();
    const { inline } = this.#source;
    if (inline !== undefined) return this.#within(inline, limit);
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of this.#readable()) {
      if (!(part instanceof Uint8Array)) continue;
      size += part.length;
      if (size > limit) throw tooLarge(limit);
      parts.push(part);
    }
    return parts.length === 0 ? EMPTY : Buffer.concat(parts);
  }

  async text(limit = LIMIT): Promise<string> {
    return fromUtf8Lossy(await this.bytes(limit));
  }

  async json(limit = LIMIT): Promise<unknown> {
    const text = await this.text(limit);
    if (text.trim() === "") return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new MeshError("INVALID_ARGUMENT", "the payload is no JSON", { cause });
    }
  }

  stream(): Readable {
    this.#take();
    return this.#readable();
  }

  async file(): Promise<string> {
    this.#take();
    const path = join(tmpdir(), `receptor-input-${randomBytes(8).toString("hex")}`);
    this.#file = path;
    await pipeline(this.#readable(), createWriteStream(path, { mode: 0o600 }), { signal: this.#signal });
    return path;
  }

  /** The work is over: what nobody read is dropped, the temporary file removed. */
  async close(): Promise<void> {
    if (this.#source.inline === undefined) this.#source.stream.resume();
    if (this.#file !== undefined) await rm(this.#file, { force: true });
  }

  #readable(): Readable {
    return this.#source.stream;
  }

  #take(): void {
    if (this.#taken) throw new MeshError("INVALID_ARGUMENT", "the payload can be read once, in one way");
    this.#taken = true;
  }

  #within(bytes: Uint8Array, limit: number): Uint8Array {
    if (bytes.length > limit) throw tooLarge(limit);
    return bytes;
  }
}

function tooLarge(limit: number): MeshError {
  return new MeshError("TOO_LARGE", `the payload is larger than ${limit} bytes: read it with stream() or file()`, { data: { limit } });
}
