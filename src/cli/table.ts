import { stripVTControlCharacters } from "node:util";

/** Rows in columns that line up, two spaces apart; numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ""))));
  return all.map((row) =>
    row
      .map((cell, column) => {
        const padding = " ".repeat((widths[column] ?? 0) - width(cell));
        return right.has(column) ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd(),
  );
}

/** Columns that a text takes on a terminal; wide characters take two. */
export function width(text: string): number {
  let columns = 0;
  for (const char of stripVTControlCharacters(text)) columns += WIDE.test(char) ? 2 : COMBINING.test(char) ? 0 : 1;
  return columns;
}

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u;
const COMBINING = /\p{Mn}|\u200d/u;

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1.5 KiB`. */
export function humanBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `4m59s`, `12s`, `0.4s`, `3d4h`: the two largest units. */
export function humanTime(milliseconds: number): string {
  if (milliseconds < 10_000) return `${Math.round(milliseconds / 100) / 10}s`;
  const seconds = Math.floor(milliseconds / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join("");
}

/** Milliseconds to three digits after the point, as in `0.412 ms`. */
export function humanRtt(milliseconds: number | null): string {
  return milliseconds === null ? "-" : `${milliseconds.toFixed(3)} ms`;
}

export function round(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000;
}
