// One process of a batch: runs its share of the seeds, and sends what came of each.
import { nodesOf, type Part, type SeedResult } from "./batch.ts";
import { run } from "./run.ts";

process.once("message", (message) => {
  const { batch, offset } = message as Part;
  void work(batch, offset);
});

async function work(batch: Part["batch"], offset: number): Promise<void> {
  for (let i = offset; i < batch.count; i += batch.jobs) await new Promise((sent) => process.send?.(result(batch, batch.first + i), sent));
  process.disconnect();
}

function result(batch: Part["batch"], seed: number): SeedResult {
  const nodes = nodesOf(batch, seed);
  const mode = batch.modes[seed % batch.modes.length] ?? "safety";
  const name = `--seed ${seed} --nodes ${nodes} --mode ${mode}`;
  try {
    const { wrong, steps, frames, endings } = run({ seed, nodes, mode });
    return { name, wrong, steps, frames, endings: [...endings] };
  } catch (error) {
    return { name, wrong: [`threw ${error instanceof Error ? error.stack : String(error)}`], steps: 0, frames: 0, endings: [] };
  }
}
