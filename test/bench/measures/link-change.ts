import type { Measure } from "../measure.ts";
import { percentile } from "../support/numbers.ts";

const CHANGES = 100;

/** What one link far away, gone or back, costs each node of a large mesh. Simulated: the routing machine alone, in virtual time. */
export function linkChange(quick: boolean): Measure {
  const sizes = quick ? [100, 1_000] : [1_000, 10_000];
  const label = (nodes: number): string => `${nodes.toLocaleString("en-US")} nodes`;
  const goal = (nodes: number) => ({ contender: "mesh", value: label(nodes), most: nodes / 1_000 });
  return {
    name: "link-change",
    what: "processor time of one node for one link that changes elsewhere in a mesh of so many: the median of 100 changes",
    units: Object.fromEntries(sizes.map((nodes) => [label(nodes), "ms"])),
    goals: sizes.map(goal),
    expected: { messages: CHANGES * sizes.length, bytes: 0 },
    rounds: 3,
    warm: 0,
    contenders: (stage) => {
      const simulation = stage.child("link-change");
      const run = async () => {
        const values: Record<string, number> = {};
        let messages = 0;
        for (const nodes of sizes) {
          const took = await simulation.ask<readonly number[]>("costs", { nodes, changes: CHANGES });
          values[label(nodes)] = percentile(took, 0.5);
          messages += took.length;
        }
        return { values, messages, bytes: 0 };
      };
      return Promise.resolve([{ name: "mesh", run }]);
    },
  };
}
