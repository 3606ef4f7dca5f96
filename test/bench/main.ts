// The benchmark: `npm run bench -- [NAME...] [--quick] [--rounds N] [--json]`. What is measured is in measures/.
import { parseArgs } from "node:util";
import { startContenders } from "./contenders.ts";
import { MEASURES, type Row, runMeasure } from "./run.ts";
import { pretty } from "./support/numbers.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, json: { type: "boolean", default: false }, rounds: { type: "string" } },
});
const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
const measures = MEASURES.map((make) => make(values.quick)).filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const unknown = positionals.filter((name) => !measures.some((measure) => measure.name === name));

if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(
    `usage: npm run bench -- [NAME...] [--quick] [--rounds N] [--json]\nnames: ${MEASURES.map((make) => make(true).name).join(" ")}\n`,
  );
  process.exit(2);
}

function print(rows: readonly Row[]): void {
  if (values.json) {
    for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
    return;
  }
  process.stdout.write(`\n${rows[0]?.measure ?? ""}: ${rows[0]?.what ?? ""}\n`);
  for (const { contender, value, unit, median, minimum, maximum, ratio } of rows) {
    const name = value === "rate" ? contender : `${contender} ${value}`;
    const range = `${pretty(minimum)} to ${pretty(maximum)}`;
    process.stdout.write(
      `  ${name.padEnd(16)} ${pretty(median).padStart(12)} ${unit.padEnd(10)} ${range.padEnd(28)} x${ratio.toFixed(3)}\n`,
    );
  }
}

const contenders = await startContenders();
try {
  for (const measure of measures) print(await runMeasure(measure, contenders, rounds));
} finally {
  await contenders.stop();
}
