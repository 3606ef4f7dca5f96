import { costsOfChanges } from "./costs.ts";

/** So many that nobody's advertisement ages out meanwhile. */
const CHANGES = 100;

function main(): void {
  for (const count of [1_000, 10_000]) {
    const times = costsOfChanges(count, CHANGES);
    const [p50 = 0, p99 = 0] = [times[CHANGES >> 1], times[Math.floor(CHANGES * 0.99)]];
    process.stdout.write(`${count} nodes: one link change takes ${p50.toFixed(2)} ms of the loop, p99 ${p99.toFixed(2)} ms\n`);
  }
}

main();
