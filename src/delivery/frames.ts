import type { MessageId } from "../core/ids.ts";
import type { NodeHash } from "../core/node-hash.ts";
import { writeOffset } from "../wire/acknowledgement.ts";
import { FLAG, FRAME, type FrameKind, OFFSET, ROUTED_HEADER, writeRoutedHeader } from "../wire/frame.ts";
import { writeMessageId } from "../wire/message-id.ts";
import type { Chunk } from "./streams/stream-sender.ts";
import type { DeliveryPort } from "./ports.ts";

export interface Address {
  readonly kind: FrameKind;
  readonly to: NodeHash;
  readonly id?: MessageId;
  readonly flags?: number;
  readonly ttl?: number;
  readonly auxiliary?: number;
}

const DATA_HEADER = ROUTED_HEADER + 8;

/** Addresses frames from this node and sends them. */
export class Frames {
  readonly #self: NodeHash;
  readonly #port: DeliveryPort;
  #scratch = new Uint8Array(2048);
  #scratchView = new DataView(this.#scratch.buffer);
  #head = this.#scratch.subarray(0, DATA_HEADER);

  constructor(self: NodeHash, port: DeliveryPort) {
    this.#self = self;
    this.#port = port;
  }

  /** Fills the header of a laid-out frame: by way of the scratch, as a view of each frame would take longer. */
  address(frame: Uint8Array, to: Address): void {
    this.#header(this.#scratchView, frame.length, to);
    for (let i = 0; i < OFFSET.id; i++) frame[i] = this.#scratch[i] as number;
    if (to.id !== undefined) writeMessageId(frame, OFFSET.id, to.id);
  }

  /** Sends an addressed frame. */
  transmit(frame: Uint8Array): boolean {
    return this.#port.transmit(frame, 0, frame.length);
  }

  send(to: Address, body?: Uint8Array): boolean {
    const length = ROUTED_HEADER + (body?.length ?? 0);
    this.#reach(length);
    this.#header(this.#scratchView, length, to);
    if (to.id === undefined) this.#scratch.fill(0, OFFSET.id, ROUTED_HEADER);
    else writeMessageId(this.#scratch, OFFSET.id, to.id);
    if (body !== undefined) this.#scratch.set(body, ROUTED_HEADER);
    return this.#port.transmit(this.#scratch, 0, length);
  }

  /** Sends one chunk of a stream. */
  sendChunk(to: NodeHash, id: MessageId, chunk: Chunk, flags: number, generation: number): boolean {
    const { bytes, from } = chunk;
    const count = chunk.to - from;
    const length = DATA_HEADER + count;
    if (!chunk.roomy) this.#reach(length);
    this.#header(this.#scratchView, length, { kind: FRAME.data, to, flags: flags | (chunk.fin ? FLAG.fin : 0), auxiliary: generation });
    writeMessageId(this.#scratch, OFFSET.id, id);
    writeOffset(this.#scratchView, ROUTED_HEADER, chunk.offset);
    if (chunk.roomy) {
      bytes.set(this.#head, from - DATA_HEADER);
      return this.#port.transmit(bytes, from - DATA_HEADER, chunk.to);
    }
    if (count > 0) this.#scratch.set(count === bytes.length ? bytes : bytes.subarray(from, chunk.to), DATA_HEADER);
    return this.#port.transmit(this.#scratch, 0, length);
  }

  /** Makes room in the scratch, which whoever transmits copies. */
  #reach(length: number): void {
    if (length <= this.#scratch.length) return;
    this.#scratch = new Uint8Array(length);
    this.#scratchView = new DataView(this.#scratch.buffer);
    this.#head = this.#scratch.subarray(0, DATA_HEADER);
  }

  #header(view: DataView, length: number, to: Address): void {
    writeRoutedHeader(view, 0, length, {
      kind: to.kind,
      flags: to.flags ?? 0,
      hops: 0,
      destinationHigh: to.to.high,
      destinationLow: to.to.low,
      sourceHigh: this.#self.high,
      sourceLow: this.#self.low,
      ttl: to.ttl ?? 0,
      auxiliary: to.auxiliary ?? 0,
    });
  }
}

/** In the generation of a response stream: the work runs again after a restart, and its sender reads it from the start. */
export const RERUN = 0x8000;

/** Where the bytes of a stream chunk begin in its frame. */
export const CHUNK_AT = DATA_HEADER;
