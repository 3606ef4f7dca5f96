import type { Measure, Sample } from "../measure.ts";
import { startMesh } from "../stages/mesh.ts";
import type { Child } from "../support/child.ts";
import { percentile } from "../support/numbers.ts";

interface Pings {
  /** Round trips in milliseconds. */
  readonly took: readonly number[];
}

/** What a bulk stream leaves to others on the same links: pings, and a second stream. */
export function fairness(quick: boolean): Measure {
  const count = quick ? 100 : 1_000;
  const milliseconds = quick ? 1_000 : 3_000;
  const sample = ({ took }: Pings, more: Sample["values"] = {}): Sample => ({
    values: { "ping p50": percentile(took, 0.5), "ping p99": percentile(took, 0.99), ...more },
    messages: took.length,
    bytes: 0,
  });
  return {
    name: "fairness",
    what: "pings through a relay beside a bulk stream that never ends, and what a second such stream gets of the two",
    units: { "ping p50": "ms", "ping p99": "ms", "second stream": "% of both" },
    goals: [
      { contender: "mesh, busy", value: "ping p99", most: 5 },
      { contender: "mesh, busy", value: "second stream", least: 45 },
    ],
    expected: { messages: count, bytes: 0 },
    rounds: 3,
    contenders: async (stage) => {
      const { controller } = await startMesh(stage);
      const share = async (child: Child): Promise<number> => {
        const { first, second } = await child.ask<{ readonly first: number; readonly second: number }>("share", { milliseconds });
        return (second / (first + second)) * 100;
      };
      return [
        { name: "mesh, idle", run: async () => sample(await controller.ask<Pings>("pings", { count })) },
        {
          name: "mesh, busy",
          run: async () => sample(await controller.ask<Pings>("busyPings", { count }), { "second stream": await share(controller) }),
        },
      ];
    },
  };
}
