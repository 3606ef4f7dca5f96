export interface Point {
  /** Milliseconds. */
  readonly at: number;
  readonly value: number;
}

/** How much the least-squares line through the points rises in an hour; 0 for fewer than two moments. */
export function slopePerHour(points: readonly Point[]): number {
  const n = points.length;
  if (n < 2) return 0;
  const meanAt = points.reduce((sum, { at }) => sum + at, 0) / n;
  const meanValue = points.reduce((sum, { value }) => sum + value, 0) / n;
  let rise = 0;
  let run = 0;
  for (const { at, value } of points) {
    rise += (at - meanAt) * (value - meanValue);
    run += (at - meanAt) ** 2;
  }
  return run === 0 ? 0 : (rise / run) * 3_600_000;
}
