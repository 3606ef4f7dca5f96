/** Bytes of one block: a full page of parked messages fits. */
const BLOCK = 16_896;
/** Records that are smaller are cheap to allocate. */
const LEAST = 2_048;
/** Blocks that are kept, 6 MiB: what 16,384 messages of 256 bytes that come at once take. */
const MOST = 384;

/** Memory for records on their way to the disk, used again: what is left to the collector stays with the process long after it. */
export class RecordMemory {
  readonly #spare: ArrayBuffer[] = [];

  take(length: number): Uint8Array {
    if (length < LEAST || length > BLOCK) return new Uint8Array(length);
    return new Uint8Array(this.#spare.pop() ?? new ArrayBuffer(BLOCK), 0, length);
  }

  /** To be called once nobody reads `record` any more. */
  give({ buffer }: Uint8Array): void {
    if (buffer instanceof ArrayBuffer && buffer.byteLength === BLOCK && this.#spare.length < MOST) this.#spare.push(buffer);
  }
}
