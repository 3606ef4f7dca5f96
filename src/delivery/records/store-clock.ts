import type { MeshError } from "../../core/errors.ts";
import type { Instant, Millis } from "../../core/instant.ts";
import type { DeliveryPort } from "../ports.ts";

const KEY = "delivery/clock";
/** How often the clock is noted while something waits whose time runs. */
const TICK: Millis = 5_000;
const LENGTH = 16;

/**
 * How old this node's store is, in milliseconds: a clock that goes on over restarts and never goes back. While the node runs it is the
 * monotonic clock; only for the time that the node was off does it ask the wall clock, and one that was set back counts as no time.
 * Without that time it loses at most the 5 s since it was last noted.
 */
export class StoreClock {
  readonly #port: DeliveryPort;
  /** The age of the store at the zero of this life's monotonic clock. */
  #base: Millis = 0;
  #noteAt: Instant | undefined;

  constructor(port: DeliveryPort) {
    this.#port = port;
  }

  age(now: Instant): Millis {
    return this.#base + now;
  }

  restore(clock: () => Instant, done: (error: MeshError | undefined) => void): void {
    this.#port.records.get(KEY, (error, value) => {
      if (error !== undefined) return done(error);
      const now = clock();
      this.#base = -now;
      if (value !== undefined && value.length >= LENGTH) {
        const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
        const off = Math.max(0, this.#port.wallClock() - view.getFloat64(8));
        this.#base = view.getFloat64(0) + off - now;
      }
      done(undefined);
    });
  }

  /** To be called when all has been restored, and before something that waits is written with the age of now. */
  use(now: Instant): void {
    if (this.#noteAt !== undefined) return;
    this.#noteAt = now + TICK;
    this.#note(now);
  }

  /** How much later it is than when something was written at `age`. */
  since(age: Millis, now: Instant): Millis {
    return Math.max(0, this.age(now) - age);
  }

  nextWake(): Instant | undefined {
    return this.#noteAt;
  }

  /** `waiting`: something still waits. */
  wake(now: Instant, waiting: boolean): void {
    if (this.#noteAt === undefined || now < this.#noteAt) return;
    this.#noteAt = waiting ? now + TICK : undefined;
    this.#note(now);
  }

  /** A note that is lost makes lives longer by what it would have noted; trouble with the store shows elsewhere. */
  #note(now: Instant): void {
    const value = new Uint8Array(LENGTH);
    const view = new DataView(value.buffer);
    view.setFloat64(0, this.age(now));
    view.setFloat64(8, this.#port.wallClock());
    this.#port.records.write([{ type: "put", key: KEY, value }], () => undefined);
  }
}
