import type { Row } from "./run.ts";
import { pretty } from "./support/numbers.ts";
import { goalText, label } from "./table.ts";

const WIDTH = 860;
const LEFT = 190;
const BAR = 300;
const LINE = 20;
const COLOURS = { mesh: "#2f6fb0", other: "#b8bec6", text: "#57606a" } as const;

/** All figures as bars, those of one measure and unit on one scale; the ends of the range are a thin line. */
export function plot(rows: readonly Row[]): string {
  const parts: string[] = [];
  let y = 10;
  const text = (x: number, content: string, more = ""): void =>
    void parts.push(`<text x="${x}" y="${y + 14}"${more}>${escape(content)}</text>`);
  for (const group of groups(rows)) {
    y += 10;
    text(10, `${group[0]?.measure ?? ""}: ${group[0]?.what ?? ""}`, ' font-weight="bold"');
    y += LINE;
    for (const row of group) {
      const scale = BAR / Math.max(...group.filter(({ unit }) => unit === row.unit).map(({ maximum }) => maximum));
      const colour = row.contender.startsWith("mesh") ? COLOURS.mesh : COLOURS.other;
      text(LEFT - 8, label(row), ' text-anchor="end"');
      parts.push(`<rect x="${LEFT}" y="${y + 3}" width="${length(row.median * scale)}" height="14" fill="${colour}"/>`);
      const range = `x1="${length(LEFT + row.minimum * scale)}" x2="${length(LEFT + row.maximum * scale)}"`;
      parts.push(`<line ${range} y1="${y + 10}" y2="${y + 10}" stroke="${COLOURS.text}"/>`);
      text(LEFT + BAR + 8, [`${pretty(row.median)} ${row.unit}`, ...row.goals.map(goalText)].join("; "));
      y += LINE;
    }
  }
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 10}" font-family="sans-serif" font-size="12">`;
  return `${open}\n<rect width="100%" height="100%" fill="white"/>\n<g fill="#1f2328">\n${parts.join("\n")}\n</g>\n</svg>\n`;
}

function groups(rows: readonly Row[]): readonly (readonly Row[])[] {
  const found = new Map<string, Row[]>();
  for (const row of rows) found.set(row.measure, [...(found.get(row.measure) ?? []), row]);
  return [...found.values()];
}

function length(value: number): string {
  return Math.max(0, value).toFixed(1);
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
