const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** One or more numbers with units: `250ms`, `30s`, `1h30m`. Also what the JSON Schema says of a duration. */
export const DURATION_PATTERN: RegExp = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
/** `1GiB` and `1G` are 2^30 bytes, `1GB` is 10^9. Also what the JSON Schema says of a size. */
export const SIZE_PATTERN: RegExp = /^\d+(?:\.\d+)? ?(?:[kKmMgGtT](?:i?[bB])?|[bB])$/;

const NUMBER = /^\d+(?:\.\d+)?$/;

/** Milliseconds of `250ms`, `30s`, `5m`, `1h30m`, `1d`; a bare number counts in `bare` milliseconds (default 1). Undefined where it is none of these. */
export function parseDuration(text: string, bare = 1): number | undefined {
  const trimmed = text.trim();
  if (NUMBER.test(trimmed)) return bounded(Number(trimmed) * bare);
  if (!DURATION_PATTERN.test(trimmed)) return undefined;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (DURATION_UNITS[unit ?? ""] ?? Number.NaN);
  }
  return bounded(total);
}

/** Bytes of `1GiB`, `512 MiB`, `10MB`, `4096`. Undefined where it is no size. */
export function parseSize(text: string): number | undefined {
  const trimmed = text.trim();
  if (NUMBER.test(trimmed)) return bounded(Number(trimmed));
  if (!SIZE_PATTERN.test(trimmed)) return undefined;
  const [, amount, unit] = /^([\d.]+) ?(.+)$/.exec(trimmed) ?? [];
  return bounded(Number(amount) * (SIZE_UNITS[(unit ?? "").toLowerCase()] ?? Number.NaN));
}

function bounded(value: number): number | undefined {
  const rounded = Math.round(value);
  return Number.isSafeInteger(rounded) ? rounded : undefined;
}

/** The shortest exact text with units: `5m`, `1h30m`, `250ms`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0ms";
  let rest = milliseconds;
  let text = "";
  for (const [unit, size] of Object.entries(DURATION_UNITS).toReversed()) {
    const count = unit === "ms" ? rest : Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** The largest binary unit that is exact: `1GiB`, `1536B`. */
export function formatSize(bytes: number): string {
  for (const [unit, size] of [
    ["TiB", 2 ** 40],
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}
