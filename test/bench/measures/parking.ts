import type { Measure } from "../measure.ts";
import type { Received } from "../programs/raw-receiver.ts";
import { freePort, until } from "../../support/mesh.ts";
import { QUIET } from "../stage.ts";
import { pause, resident } from "../support/process.ts";

const SIZE = 256;
const NODE = "parker";

/** Messages for a node that is not there: onto the disk, each batch synced, and off it when the node comes. */
export function parking(quick: boolean): Measure {
  const count = quick ? 5_000 : 100_000;
  return {
    name: "parking",
    what: `messages of ${SIZE} bytes to the disk of a node, synced in groups, and to their destination when it comes`,
    units: { parked: "messages/s", drained: "messages/s" },
    goals: [
      { contender: "mesh", value: "parked", least: 100_000 },
      { contender: "mesh", value: "drained", least: 150_000 },
    ],
    expected: { messages: 2 * count, bytes: 2 * count * SIZE },
    rounds: 3,
    contenders: async (stage) => {
      const url = await stage.node(NODE, ["--listen", "tcp://127.0.0.1:0"]);
      const driver = stage.child("park-driver");
      const run = async (round: number) => {
        const plan = { url, node: NODE, to: `sleeper-${round}`, count, size: SIZE };
        const parked = await driver.ask<Received>("park", plan);
        const drained = await driver.ask<Received>("drain", plan);
        const rate = ({ messages, milliseconds }: Received): number => (messages / milliseconds) * 1_000;
        return {
          values: { parked: rate(parked), drained: rate(drained) },
          messages: parked.messages + drained.messages,
          bytes: parked.bytes + drained.bytes,
        };
      };
      return [{ name: "mesh", run }];
    },
  };
}

/** What a million of them cost the node that has them, and how long it takes to have them again after a restart. */
export function backlog(quick: boolean): Measure {
  const count = quick ? 10_000 : 1_000_000;
  const settle = quick ? 100 : 2_000;
  return {
    name: "backlog",
    what: `${count.toLocaleString("en-US")} parked messages of ${SIZE} bytes: resident memory, and the time from a start until the node has them again`,
    units: { memory: "MiB", reopening: "s", "memory after": "MiB" },
    goals: [
      { contender: "mesh", value: "memory", most: 200 },
      { contender: "mesh", value: "reopening", most: 3 },
      { contender: "mesh", value: "memory after", most: 200 },
    ],
    expected: { messages: count, bytes: count * SIZE },
    rounds: 1,
    warm: 0,
    contenders: async (stage) => {
      const http = `127.0.0.1:${await freePort()}`;
      const args = ["--listen", "tcp://127.0.0.1:0", "--http", http];
      const url = await stage.node(NODE, args);
      const driver = stage.child("park-driver");
      const run = async () => {
        await driver.ask("park", { url, node: NODE, to: "sleeper", count, size: SIZE });
        await pause(settle);
        const memory = resident(stage.mesh.pid(NODE));
        await stage.mesh.signal(NODE, "SIGTERM");
        const began = performance.now();
        await stage.mesh.start(NODE, [...args, ...QUIET], { limit: 120_000 });
        await until(async () => ((await parkedAt(http)) === count ? true : undefined), 120_000, "every message is there again");
        const reopening = (performance.now() - began) / 1_000;
        await pause(settle);
        const messages = await parkedAt(http);
        const after = resident(stage.mesh.pid(NODE));
        return { values: { memory, reopening, "memory after": after }, messages, bytes: messages * SIZE };
      };
      return [{ name: "mesh", run }];
    },
  };
}

async function parkedAt(http: string): Promise<number> {
  const answer = (await (await fetch(`http://${http}/status`)).json()) as { readonly parked: { readonly messages: number } };
  return answer.parked.messages;
}
