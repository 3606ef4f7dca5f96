import { parseArgs } from "node:util";
import { type Phase, ScaleRun } from "./scale.ts";

/** Joins, cuts and heals a large mesh in one process, and prints what each took. */
function main(): void {
  const { values } = parseArgs({
    options: {
      nodes: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      joining: { type: "string" },
      /** What the process may take: GiB, and minutes of processor time, which a busy machine does not stretch much. */
      memory: { type: "string", default: "2" },
      time: { type: "string", default: "5" },
    },
  });
  const nodes = Number(values.nodes);
  const run = new ScaleRun({ nodes, seed: Number(values.seed), joining: Number(values.joining ?? 20 * nodes) });
  print("phase", "virtual s", "settling s", "real s", "processor s", "resident MiB", "frames", "MiB", "routes", "kept");
  const phases: Phase[] = [];
  for (const phase of [() => run.join(), () => run.cut(), () => run.heal()]) {
    const done = phase();
    phases.push(done);
    print(
      done.name,
      ...[done.virtual, done.settling, done.real, done.processor].map((time) => (time / 1000).toFixed(2)),
      (done.resident / 2 ** 20).toFixed(0),
      String(done.frames),
      (done.bytes / 2 ** 20).toFixed(0),
      String(done.routes),
      String(done.kept),
    );
  }
  const peak = process.resourceUsage().maxRSS / 2 ** 20;
  const minutes = phases.reduce((sum, { processor }) => sum + processor, 0) / 60_000;
  if (peak > Number(values.memory)) run.wrong.push(`${peak.toFixed(2)} GiB were resident`);
  if (minutes > Number(values.time)) run.wrong.push(`it took ${minutes.toFixed(1)} minutes of processor time`);
  for (const what of run.wrong) process.stdout.write(`${what}\n`);
  process.stdout.write(
    `${nodes} nodes, at most ${peak.toFixed(2)} GiB, ${minutes.toFixed(2)} minutes of processor time: ${run.wrong.length} wrong\n`,
  );
  process.exitCode = run.wrong.length > 0 ? 1 : 0;
}

function print(first: string, ...others: readonly string[]): void {
  process.stdout.write(`${first.padEnd(6)}${others.map((text) => text.padStart(13)).join("")}\n`);
}

main();
