// `npm run sim -- --seed N --nodes N`: replays one run and prints its story. `--seeds K`: that many, one line for each that failed.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { runBatch } from "./batch.ts";
import { type Mode, MODES, run } from "./run.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    nodes: { type: "string", default: "5-20" },
    mode: { type: "string", default: "both" },
    jobs: { type: "string", default: String(availableParallelism()) },
    /** Ends at the first seed that fails. */
    first: { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
  },
});

const modes: readonly Mode[] = values.mode === "both" ? ["safety", "liveness"] : MODES.filter((mode) => mode === values.mode);
if (modes.length === 0) throw new RangeError(`--mode is both, or one of ${MODES.join(", ")}`);
const [fewest = 5, most = fewest] = values.nodes.split("-").map(Number);
const seed = Number(values.seed);
const seeds = Number(values.seeds);

if (seeds === 1) {
  const nodes = fewest + (seed % (most - fewest + 1));
  let failed = false;
  for (const mode of modes) {
    const { wrong, story, steps, frames, endings, refused } = run({ seed, nodes, mode, story: true });
    if (!values.quiet) process.stdout.write(`${story.join("\n")}\n`);
    const ends = [...endings].map(([how, count]) => `${how} ${count}`).join(", ");
    process.stdout.write(`seed ${seed}, ${nodes} nodes, ${mode}: ${steps} steps, ${frames} frames; ${ends}\n`);
    if (refused.size > 0) process.stdout.write(`  not taken: ${[...refused].map(([why, count]) => `${why} ${count}`).join(", ")}\n`);
    for (const line of wrong) process.stdout.write(`  ${line}\n`);
    failed ||= wrong.length > 0;
  }
  process.exitCode = failed ? 1 : 0;
} else {
  const report = await runBatch(
    { first: seed, count: seeds, fewest, most, modes, jobs: Number(values.jobs), stopAtFirst: values.first },
    (line) => process.stdout.write(`${line}\n`),
  );
  const ends = [...report.endings].toSorted((a, b) => b[1] - a[1]).map(([how, count]) => `${how} ${count}`);
  if (!values.quiet) process.stdout.write(`${ends.join(", ")}\n`);
  process.stdout.write(`${report.runs} runs, ${report.failed.length} failed, ${report.steps} steps, ${report.frames} frames\n`);
  process.exitCode = report.failed.length > 0 ? 1 : 0;
}
