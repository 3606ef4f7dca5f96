import { parseArgs } from "node:util";
import { runKills } from "./scenario.ts";

// `npm run kill -- --kills 200 --rate 500 --seed 1`
const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    rate: { type: "string", default: "500" },
    seed: { type: "string", default: "1" },
    quiet: { type: "boolean", default: false },
  },
});

async function main(): Promise<void> {
  const { breaches, ...figures } = await runKills({
    kills: Number(values.kills),
    rate: Number(values.rate),
    seed: Number(values.seed),
    ...(values.quiet ? {} : { tell: (line: string) => console.log(line) }),
  });
  console.log(JSON.stringify(figures, undefined, 2));
  for (const breach of breaches.slice(0, 50)) console.log(breach);
  console.log(`${breaches.length} breaches`);
  process.exitCode = breaches.length === 0 ? 0 : 1;
}

void main();
