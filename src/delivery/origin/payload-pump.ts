import type { Instant } from "../../core/instant.ts";
import type { Timers } from "../../core/timers.ts";
import { FLAG } from "../../wire/frame.ts";
import type { Frames } from "../frames.ts";
import type { Conversation } from "./conversation.ts";
import type { DeliveryPort } from "../ports.ts";

/** Sends the payload streams of accepted messages, as far as credit and links allow. */
export class PayloadPump {
  readonly #port: DeliveryPort;
  readonly #frames: Frames;
  readonly #timers: Timers<Conversation>;
  readonly #dirty = new Set<Conversation>();
  readonly #blocked = new Set<Conversation>();

  /** `timers`: the origin's; a stream that waits for its acknowledgement is due there. */
  constructor(port: DeliveryPort, frames: Frames, timers: Timers<Conversation>) {
    this.#port = port;
    this.#frames = frames;
    this.#timers = timers;
  }

  /** It may have something to send. */
  mark(conversation: Conversation): void {
    this.#dirty.add(conversation);
    this.#port.markDirty();
  }

  /** More was written: a whole chunk leaves at once, so that its reader has something to do while more is made. */
  written(conversation: Conversation): void {
    this.mark(conversation);
    const { up, to } = conversation;
    if (up?.chunkReady === true && this.#port.hasRoute(to.high, to.low)) this.#send(conversation, true);
  }

  /** A link has room again. */
  unblock(): void {
    for (const conversation of this.#blocked) this.mark(conversation);
    this.#blocked.clear();
  }

  flush(now: Instant): void {
    for (const conversation of this.#dirty) this.#pump(now, conversation);
    this.#dirty.clear();
  }

  forget(conversation: Conversation): void {
    this.#dirty.delete(conversation);
    this.#blocked.delete(conversation);
  }

  #pump(now: Instant, conversation: Conversation): void {
    const { up } = conversation;
    this.#send(conversation);
    if (up?.outstanding === true && conversation.phase === "accepted")
      this.#timers.set(conversation, Math.min(now + conversation.wait, conversation.due ?? Infinity));
  }

  /** `more`: more is being written. */
  #send(conversation: Conversation, more = false): void {
    const { up, to, id } = conversation;
    if (up === undefined || conversation.phase !== "accepted") return;
    for (;;) {
      if (this.#port.congested(to.high, to.low)) {
        this.#blocked.add(conversation);
        return;
      }
      const chunk = up.take(more);
      if (chunk === undefined) return;
      this.#frames.sendChunk(to, id, chunk, FLAG.upward, 0);
    }
  }
}
