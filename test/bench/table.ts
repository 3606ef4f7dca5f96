import type { Reached, Row } from "./run.ts";
import { pretty } from "./support/numbers.ts";

/** One measure for people. */
export function table(rows: readonly Row[]): string {
  const lines = [`\n${rows[0]?.measure ?? ""}: ${rows[0]?.what ?? ""}`];
  for (const row of rows) {
    const range = row.minimum === row.maximum ? "" : `${pretty(row.minimum)} to ${pretty(row.maximum)}`;
    const ratio = Number.isFinite(row.ratio) ? `x${row.ratio.toFixed(3)}` : "";
    const figure = `${label(row).padEnd(24)} ${pretty(row.median).padStart(12)} ${row.unit.padEnd(16)}`;
    lines.push(`  ${figure} ${range.padEnd(26)} ${ratio.padEnd(8)}${row.goals.map(goalText).join("; ")}`.trimEnd());
  }
  return `${lines.join("\n")}\n`;
}

/** The contender, and which of its values where it has several. */
export function label({ contender, value }: Row): string {
  return value === "rate" || value === "time" ? contender : `${contender} ${value}`;
}

/** `goal: at least 50% of raw relay, is 43%`. */
export function goalText({ to, least, most, is }: Reached): string {
  const number = (value: number): string => (to === undefined ? pretty(value) : `${pretty(value)}x`);
  const limit = least === undefined ? `at most ${number(most ?? Number.NaN)}` : `at least ${number(least)}`;
  return `goal: ${limit}${to === undefined ? "" : ` ${to}, is ${number(is)}`}`;
}
