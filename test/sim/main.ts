import { parseArgs } from "node:util";
import { violations } from "./invariants.ts";
import { World } from "./world.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    nodes: { type: "string", default: "8" },
    messages: { type: "string", default: "60" },
    quiet: { type: "boolean", default: false },
  },
});

let failed = 0;
const first = Number(values.seed);
for (let seed = first; seed < first + Number(values.seeds); seed++) {
  const world = new World({ seed, nodes: Number(values.nodes), trouble: 60_000, messages: Number(values.messages), ttl: 20_000 });
  world.run();
  const wrong = violations(world);
  if (wrong.length > 0) failed++;
  if (!values.quiet && Number(values.seeds) === 1) console.log(world.story.join("\n"));
  if (wrong.length > 0) console.log(`seed ${seed}: ${wrong.join("; ")}`);
}
console.log(`${values.seeds} seeds, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
