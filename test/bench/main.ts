// The benchmark: `npm run bench -- [NAME...] [--quick] [--rounds N] [--json] [--plot]`. What is measured is in measures/.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MEASURES } from "./measures.ts";
import { plot } from "./plot.ts";
import { type Row, runMeasure } from "./run.ts";
import { table } from "./table.ts";

const PLOT = fileURLToPath(new URL("../../docs/performance.svg", import.meta.url));

const flag = { type: "boolean", default: false } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: flag, json: flag, plot: flag, rounds: { type: "string" } },
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const measures = MEASURES.map((make) => make(values.quick)).filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const unknown = positionals.filter((name) => !measures.some((measure) => measure.name === name));

if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(
    `usage: npm run bench -- [NAME...] [--quick] [--rounds N] [--json] [--plot]\nnames: ${MEASURES.map((make) => make(true).name).join(" ")}\n`,
  );
  process.exit(2);
}

const all: Row[] = [];
for (const measure of measures) {
  const rows = await runMeasure(measure, rounds);
  all.push(...rows);
  process.stdout.write(values.json ? rows.map((row) => `${JSON.stringify(row)}\n`).join("") : table(rows));
}
if (values.plot) await writeFile(PLOT, plot(all));
