import type { Instant, Millis } from "../../core/instant.ts";
import { type NodeHash, NodeHashMap } from "../../core/node-hash.ts";
import { type Acknowledgement, encodeAcknowledgements } from "../../wire/acknowledgement.ts";
import { FRAME } from "../../wire/frame.ts";
import type { Frames } from "../frames.ts";

/** How long an acknowledgement that nobody waits for may wait for company. */
const LINGER: Millis = 5;
const MOST = 128;

/** Something that has an acknowledgement to give, and says how matters stand when it is asked. */
export interface AckSource {
  readonly to: NodeHash;
  /** Until when what it has to say may wait; undefined: it has nothing to say. For the queue alone. */
  queued: "now" | "soon" | undefined;
  take(): Acknowledgement;
}

/** Gathers acknowledgements by destination, so that many small works cost few frames, and a stream that moves fast few entries. */
export class AckQueue {
  readonly #frames: Frames;
  readonly #clock: () => Instant;
  #urgent: AckSource[] = [];
  /** Those that wait for company, and some that have left meanwhile. */
  #lingering: AckSource[] = [];
  #due: Instant | undefined;

  constructor(frames: Frames, clock: () => Instant) {
    this.#frames = frames;
    this.#clock = clock;
  }

  /** Urgent: to leave at the end of this tick; else within 5 ms. */
  add(source: AckSource, urgent: boolean): void {
    if (source.queued === "now" || (source.queued === "soon" && !urgent)) return;
    if (urgent) {
      source.queued = "now";
      this.#urgent.push(source);
    } else {
      source.queued = "soon";
      this.#lingering.push(source);
      this.#due ??= this.#clock() + LINGER;
    }
  }

  /** At the end of a tick: sends what is urgent, and what lingers if it is much. */
  flush(): void {
    if (this.#urgent.length > 0) this.#sendUrgent();
    if (this.#lingering.length >= MOST) this.#sendLingering();
  }

  nextWake(): Instant | undefined {
    return this.#due;
  }

  wake(now: Instant): void {
    if (this.#due === undefined || now < this.#due) return;
    this.#due = undefined;
    if (this.#lingering.length > 0) this.#sendLingering();
  }

  #sendUrgent(): void {
    const sources = this.#urgent;
    this.#urgent = [];
    this.#send(sources, "now");
  }

  #sendLingering(): void {
    const sources = this.#lingering;
    this.#lingering = [];
    this.#send(sources, "soon");
  }

  #send(sources: readonly AckSource[], queued: "now" | "soon"): void {
    const batches = new NodeHashMap<{ readonly to: NodeHash; entries: Acknowledgement[] }>();
    for (const source of sources) {
      if (source.queued !== queued) continue;
      source.queued = undefined;
      const { to } = source;
      let batch = batches.get(to.high, to.low);
      if (batch === undefined) {
        batch = { to, entries: [] };
        batches.set(to.high, to.low, batch);
      }
      batch.entries.push(source.take());
      if (batch.entries.length < MOST) continue;
      this.#sendBatch(batch.to, batch.entries);
      batch.entries = [];
    }
    for (const { to, entries } of batches.values()) if (entries.length > 0) this.#sendBatch(to, entries);
  }

  #sendBatch(to: NodeHash, entries: readonly Acknowledgement[]): void {
    const frame = encodeAcknowledgements(entries);
    this.#frames.address(frame, { kind: FRAME.ack, to });
    this.#frames.transmit(frame);
  }
}
