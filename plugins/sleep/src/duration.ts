const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** The longest that a timer takes. */
const MAXIMUM = 2_147_483_647;

/**
 * Milliseconds out of `500`, `1.5s`, `2m` or `{"ms":500}`; a bare number counts milliseconds.
 * Throws INVALID_ARGUMENT for everything else.
 */
export function parseDuration(payload: string): number {
  const text = payload.trim();
  const milliseconds = text.startsWith("{") ? fromJson(text) : fromText(text);
  if (milliseconds === undefined) throw invalid(`"${text.slice(0, 40)}" is no duration: send 5s, 500ms, 500 or {"ms":500}`);
  if (milliseconds > MAXIMUM) throw invalid(`${milliseconds} ms is longer than the ${MAXIMUM} ms (24.8 days) that a sleep may take`);
  return milliseconds;
}

function fromText(text: string): number | undefined {
  const match = /^"?(\d+(?:\.\d+)?)\s*(ms|s|m|h)?"?$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (UNITS[match[2] ?? "ms"] ?? 1);
}

function fromJson(text: string): number | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const given = typeof value === "object" && value !== null && "ms" in value ? value.ms : undefined;
    return typeof given === "number" && given >= 0 ? given : undefined;
  } catch {
    return undefined;
  }
}

function invalid(message: string): Error {
  return Object.assign(new Error(message), { code: "INVALID_ARGUMENT" });
}
