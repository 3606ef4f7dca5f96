/** An error that the sender is told as a mistake in what it sent. */
export function invalid(message: string): Error {
  return Object.assign(new Error(message), { code: "INVALID_ARGUMENT" });
}

/**
 * The number `name` of a JSON payload, or the payload itself where it is a number.
 * Throws INVALID_ARGUMENT where it is missing, no whole number, or beyond `maximum`.
 */
export function wholeNumber(payload: unknown, name: string, maximum: number): number {
  const value = typeof payload === "number" ? payload : field(payload, name);
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maximum) return value;
  throw invalid(`"${name}" must be a whole number from 0 to ${maximum}, as in {"${name}":10}`);
}

/** Milliseconds to wait between two responses; 0 where the payload does not say. */
export function intervalOf(payload: unknown): number {
  const value = field(payload, "interval") ?? 0;
  if (typeof value === "number" && value >= 0 && value <= 86_400_000) return value;
  throw invalid('"interval" must be a number of milliseconds from 0 to 86400000, as in {"count":10,"interval":100}');
}

function field(payload: unknown, name: string): unknown {
  if (typeof payload !== "object" || payload === null) return undefined;
  return Object.entries(payload).find(([key]) => key === name)?.[1];
}
