import { MeshError } from "../../src/core/errors.ts";
import type { MessageId, NodeId } from "../../src/core/ids.ts";
import { LIMITS } from "../../src/core/limits.ts";
import type { OriginEvents } from "../../src/delivery/ports.ts";
import { encodeMetadata } from "../../src/wire/message.ts";
import { RecordReader } from "../../src/wire/record.ts";
import type { Life } from "./node.ts";
import { matches, patternOf } from "./pattern.ts";
import { DIRECTIVE, type Plan, planHeaders } from "./worker.ts";

export interface Order extends Plan {
  readonly to: NodeId;
  readonly ttl: number;
  readonly durable: boolean;
  readonly hold: boolean;
  readonly idempotent: boolean;
  /** Takes its responses late. */
  readonly slow: boolean;
}

interface Following {
  readonly number: number;
  readonly slow: boolean;
  reader: RecordReader;
  /** Responses read, or left out where an attachment began later. */
  responses: number;
}

/** The sender's side of a simulated node: sends, writes payloads, reads responses; checks every byte. */
export class SimProgram implements OriginEvents {
  readonly #life: Life;
  readonly #following = new Map<MessageId, Following>();
  readonly #writing = new Map<MessageId, { readonly number: number; readonly bytes: number; written: number }>();

  constructor(life: Life) {
    this.#life = life;
  }

  send(order: Order): MessageId {
    const { engine, now, node } = this.#life;
    const streamed = order.bytes > LIMITS.inlinePayload;
    const id = engine.delivery.origin.send(now(), {
      node: order.to,
      metadata: encodeMetadata(node, order.idempotent ? DIRECTIVE.again : DIRECTIVE.once, planHeaders(order)),
      payload: streamed ? new Uint8Array(0) : patternOf(order.number, 0, order.bytes).slice(),
      streamed,
      ttl: order.ttl,
      deadline: undefined,
      durable: order.durable,
      hold: order.hold,
    });
    this.follow(id, order.number, order.slow);
    if (streamed) {
      this.#writing.set(id, { number: order.number, bytes: order.bytes, written: 0 });
      this.#write(id);
    }
    engine.poke();
    return id;
  }

  follow(id: MessageId, number: number, slow = false): void {
    this.#following.set(id, { number, slow, reader: new RecordReader(), responses: 0 });
  }

  attach(id: MessageId, number: number, worker: NodeId): void {
    this.follow(id, number);
    if (!this.#life.engine.delivery.origin.attach(this.#life.now(), id, worker, 1, 20_000))
      this.#life.ledger.violation("I6", `${id} is followed already`);
    this.#life.engine.poke();
  }

  cancel(id: MessageId): void {
    this.#life.engine.delivery.origin.cancel(this.#life.now(), id, new MeshError("CANCELLED", "cancelled by its sender"));
    this.#life.engine.poke();
  }

  onRestored(id: MessageId): void {
    const sent = this.#life.ledger.sent.get(id);
    if (sent !== undefined) this.follow(id, sent.number);
  }

  onParked(): void {
    // Told by the node where it waits.
  }

  onAccepted(id: MessageId): void {
    this.#life.ledger.accepted(id);
  }

  onResponseBytes(id: MessageId, bytes: Uint8Array): void {
    const following = this.#following.get(id);
    if (following === undefined) return this.#life.ledger.violation("I6", `${id} has responses that nobody follows`);
    following.reader.push(bytes, (record) => {
      if (record.type === "response") {
        if (!matches(following.number + following.responses, 0, record.payload))
          this.#life.ledger.wrongBytes(id, `response ${following.responses + 1} is not what was written`);
        following.responses++;
      } else if (record.type === "end") {
        this.#life.ledger.ended(id, record.end, following.responses);
      }
    });
    const { length } = bytes;
    if (following.slow) this.#life.later(this.#life.random() * 500, ({ origin }) => origin.following.consumed(id, length));
    else this.#life.engine.delivery.origin.following.consumed(id, length);
  }

  onResponseEnd(id: MessageId): void {
    this.#following.delete(id);
  }

  onInputWritable(id: MessageId): void {
    this.#write(id);
  }

  onFailed(id: MessageId, error: MeshError): void {
    this.#following.delete(id);
    this.#writing.delete(id);
    this.#life.ledger.failed(id, error.code);
  }

  onRerun(id: MessageId): void {
    const following = this.#following.get(id);
    if (following === undefined) return;
    following.reader = new RecordReader();
    following.responses = 0;
  }

  onAttached(id: MessageId, serial: number): void {
    const following = this.#following.get(id);
    if (following !== undefined) following.responses = serial - 1;
  }

  #write(id: MessageId): void {
    const writing = this.#writing.get(id);
    if (writing === undefined) return;
    const { origin } = this.#life.engine.delivery;
    while (writing.written < writing.bytes) {
      const length = Math.min(20_000, writing.bytes - writing.written);
      const piece = patternOf(writing.number, writing.written, length);
      writing.written += length;
      if (!origin.following.writeInput(id, piece)) return;
    }
    this.#writing.delete(id);
    origin.following.endInput(id);
    this.#life.engine.poke();
  }
}
