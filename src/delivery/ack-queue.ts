import type { Instant, Millis } from "../core/instant.ts";
import { type NodeHash, NodeHashMap } from "../core/node-hash.ts";
import { type Acknowledgement, encodeAcknowledgements } from "../wire/acknowledgement.ts";
import { FRAME } from "../wire/frame.ts";
import type { Frames } from "./frames.ts";

/** How long an acknowledgement that nobody waits for may wait for company. */
const LINGER: Millis = 5;
const MOST = 128;

interface Batch {
  readonly to: NodeHash;
  readonly entries: Acknowledgement[];
  urgent: boolean;
}

/** Gathers acknowledgements by destination, so that many small works cost few frames. */
export class AckQueue {
  readonly #frames: Frames;
  readonly #batches = new NodeHashMap<Batch>();
  #due: Instant | undefined;

  constructor(frames: Frames) {
    this.#frames = frames;
  }

  add(now: Instant, to: NodeHash, entry: Acknowledgement, urgent: boolean): void {
    let batch = this.#batches.get(to.high, to.low);
    if (batch === undefined) {
      batch = { to, entries: [], urgent: false };
      this.#batches.set(to.high, to.low, batch);
    }
    batch.entries.push(entry);
    if (urgent) batch.urgent = true;
    if (batch.entries.length >= MOST) this.#send(batch);
    else this.#due ??= now + LINGER;
  }

  /** At the end of a tick: sends what is urgent. */
  flush(): void {
    for (const batch of this.#batches.values()) if (batch.urgent) this.#send(batch);
  }

  nextWake(): Instant | undefined {
    return this.#due;
  }

  wake(now: Instant): void {
    if (this.#due === undefined || now < this.#due) return;
    this.#due = undefined;
    for (const batch of this.#batches.values()) this.#send(batch);
    this.#batches.clear();
  }

  #send(batch: Batch): void {
    if (batch.entries.length === 0) return;
    const frame = encodeAcknowledgements(batch.entries);
    this.#frames.address(frame, { kind: FRAME.ack, to: batch.to });
    this.#frames.transmit(frame);
    batch.entries.length = 0;
    batch.urgent = false;
  }
}
