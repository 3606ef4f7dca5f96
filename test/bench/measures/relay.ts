import type { Contender, Measure } from "../measure.ts";
import type { Stage } from "../stage.ts";
import type { Child } from "../support/child.ts";
import { processorTime } from "../support/process.ts";

const SIZE = 256;
const BLOCK = 240;
const HOPS = { "1 hop": 1, "8 hops": 8 } as const;
type Way = keyof typeof HOPS;

interface Lane {
  readonly driver: Child;
  /** The relay's process. */
  readonly pid: number;
}

/** What one relay forwards in a second of processor time, whatever the ends need. */
export function relay(quick: boolean): Measure {
  const blocks = quick ? 400 : 8_000;
  const goal = (value: Way, least: number) => ({ contender: "mesh", value, to: "raw relay", least });
  return {
    name: "relay",
    what: `messages of ${SIZE} bytes that a relay forwards in a second of one core, to 1 next hop and to 8 in turn`,
    units: { "1 hop": "messages/s core", "8 hops": "messages/s core" },
    goals: [goal("1 hop", 0.8), goal("8 hops", 0.6)],
    expected: { messages: 2 * blocks * BLOCK, bytes: 2 * blocks * BLOCK * SIZE },
    contenders: async (stage) => {
      const starts = [raw(stage, 1), raw(stage, 8), mesh(stage, 1), mesh(stage, 8)] as const;
      const [raw1, raw8, mesh1, mesh8] = await Promise.all(starts);
      return [
        contender("raw relay", blocks, { "1 hop": raw1, "8 hops": raw8 }),
        contender("mesh", blocks, { "1 hop": mesh1, "8 hops": mesh8 }),
      ];
    },
  };
}

function contender(name: string, blocks: number, lanes: Readonly<Record<Way, Lane>>): Contender {
  return {
    name,
    run: async () => {
      const values: Record<string, number> = {};
      let [messages, bytes] = [0, 0];
      for (const [way, { driver, pid }] of Object.entries(lanes)) {
        const before = processorTime(pid);
        const flooded = await driver.ask<{ readonly messages: number; readonly bytes: number }>("flood", { blocks });
        values[way] = (flooded.messages / (processorTime(pid) - before)) * 1_000;
        messages += flooded.messages;
        bytes += flooded.bytes;
      }
      return { values, messages, bytes };
    },
  };
}

async function raw(stage: Stage, hops: number): Promise<Lane> {
  const driver = stage.child("fan-driver");
  const ports = await driver.ask<readonly number[]>("sinks", { hops });
  const fan = stage.child("raw-fan");
  const port = await fan.ask<number>("start", { ports });
  await driver.ask("raw", { port, hops, size: SIZE });
  return { driver, pid: fan.pid };
}

async function mesh(stage: Stage, hops: number): Promise<Lane> {
  const node = `relay-${hops}`;
  const url = await stage.node(node, ["--listen", "tcp://127.0.0.1:0"]);
  const driver = stage.child("fan-driver");
  await driver.ask("mesh", { url, node, hops, size: SIZE });
  return { driver, pid: stage.mesh.pid(node) };
}
