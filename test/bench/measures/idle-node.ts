import type { Measure } from "../measure.ts";
import { pause, processorTime, resident } from "../support/process.ts";

const LINKS = 4;

/** A node that has nothing to do in a mesh that has nothing to do: keepalives and advertisements alone. */
export function idleNode(quick: boolean): Measure {
  const count = quick ? 10 : 100;
  const window = quick ? 2_000 : 60_000;
  return {
    name: "idle-node",
    what: `one idle node of ${count}, over ${window / 1_000} s`,
    units: { processor: "% of a core", memory: "MiB" },
    goals: [
      { contender: "mesh", value: "processor", most: 1 },
      { contender: "mesh", value: "memory", most: 80 },
    ],
    expected: { messages: count - 1, bytes: 0 },
    rounds: 1,
    warm: 0,
    contenders: async (stage) => {
      const crowd = stage.child("members.mjs");
      const urls: string[] = [];
      for (let i = 0; i < count - 1; i++) {
        const peers = [...new Set([i - 1, i >> 1])].flatMap((peer) => urls[peer] ?? []);
        urls.push(...(await crowd.ask<readonly string[]>("start", { members: [{ id: `crowd-${i}`, peers }] })));
      }
      const peers = urls.slice(-LINKS).flatMap((url) => ["--peer", url]);
      await stage.node("idler", ["--no-listen", ...peers]);
      const pid = stage.mesh.pid("idler");
      const run = async () => {
        await crowd.ask("full", { count: count - 1 });
        await pause(quick ? 500 : 10_000);
        const before = processorTime(pid);
        await pause(window);
        const processor = ((processorTime(pid) - before) / window) * 100;
        return { values: { processor, memory: resident(pid) }, messages: count - 1, bytes: 0 };
      };
      return [{ name: "mesh", run }];
    },
  };
}
