import type { Instant } from "./instant.ts";

/**
 * A protocol state machine without IO: it is handed inputs and the time, and returns what is to be done.
 * It never awaits, reads a clock, draws randomness, or touches a socket.
 */
export interface Machine<Input, Effect> {
  step(now: Instant, input: Input): readonly Effect[];
  /** When `step(now, { type: "wake" })` must be called at the latest, if ever. */
  nextWake(): Instant | undefined;
}
