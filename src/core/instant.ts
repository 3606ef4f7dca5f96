/** A point on a monotonic clock, in milliseconds from an arbitrary zero; may have a fraction. Never wall time. */
export type Instant = number;

/** A length of time in milliseconds; may have a fraction. */
export type Millis = number;

/** Uniform in [0, 1). Protocol code is handed its randomness, so that a seed replays a run. */
export type Random = () => number;

/** Of two times that may not be, the first to come. */
export function earlier(one: Instant | undefined, other: Instant | undefined): Instant | undefined {
  if (one === undefined) return other;
  return other === undefined || one <= other ? one : other;
}
