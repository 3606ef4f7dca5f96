import { freePort } from "../../support/mesh.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import type { Measure } from "../measure.ts";
import { pause, resident } from "../support/process.ts";

const NODE = "hub";

/** What a link costs that carries nothing: as many as a node may have, less a few. */
export function idleLinks(quick: boolean): Measure {
  const settle = quick ? 300 : 3_000;
  // The collector gives back what it took for the greetings when it has seen for half a minute that nothing more comes.
  const idle = quick ? 300 : 60_000;
  const count = quick ? 20 : Math.min(1_000, LIMITS.linksPerNode - 6);
  return {
    name: "idle-links",
    what: `${count} idle links on one node: resident memory of each`,
    units: { memory: "KiB a link", "at once": "KiB a link" },
    goals: [{ contender: "mesh", value: "memory", most: 40 }],
    expected: { messages: count, bytes: 0 },
    rounds: 1,
    warm: 0,
    contenders: async (stage) => {
      const each = async (pid: number, connect: () => Promise<unknown>): Promise<Record<string, number>> => {
        await pause(settle);
        const before = resident(pid);
        await connect();
        const grown = (): number => ((resident(pid) - before) * 1_024) / count;
        await pause(settle);
        const atOnce = grown();
        await pause(idle);
        return { memory: grown(), "at once": atOnce };
      };
      const http = `127.0.0.1:${await freePort()}`;
      const url = await stage.node(NODE, ["--listen", "tcp://127.0.0.1:0", "--http", http]);
      const server = stage.child("raw-receiver");
      const port = await server.ask<number>("start");
      await server.ask("expect", { bytes: 1 });
      const driver = stage.child("idle-driver");
      return [
        {
          name: "raw server",
          run: async () => ({ values: await each(server.pid, () => driver.ask("sockets", { port, count })), messages: count, bytes: 0 }),
        },
        {
          name: "mesh",
          run: async () => {
            const values = await each(stage.mesh.pid(NODE), () => driver.ask("links", { url, node: NODE, count }));
            return { values, messages: await linksOf(http), bytes: 0 };
          },
        },
      ];
    },
  };
}

async function linksOf(http: string): Promise<number> {
  const answer = (await (await fetch(`http://${http}/status`)).json()) as { readonly links: readonly unknown[] };
  return answer.links.length;
}
