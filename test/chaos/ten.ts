import { setTimeout as wait } from "node:timers/promises";
import { createNode } from "../../src/node/create.ts";
import { seeded } from "../sim/random.ts";
import { type Account, account } from "./account.ts";
import { Cluster, CONTROLLER } from "./cluster.ts";
import { type Sent, Traffic } from "./traffic.ts";

const NODES = 10;
const TTL = 30_000;

export interface Ten {
  readonly account: Account;
  readonly sent: readonly Sent[];
  readonly kills: number;
  /** Nodes that ended by themselves. */
  readonly crashes: readonly string[];
}

/**
 * Ten nodes in a random graph, one of which is killed every second and started again, while a controller that lives on sends 100 messages
 * a second to all of them. Which one is drawn by lot, or they come `in turn`: a node that has just come up gets all that waited for it, and killed in
 * that moment it interrupts ten works and more. Over a minute that evens out, over some seconds it does not.
 */
export async function ten(seed: number, milliseconds: number, order: "by lot" | "in turn" = "by lot"): Promise<Ten> {
  const random = seeded(seed);
  const cluster = await Cluster.start({ nodes: NODES, more: NODES, random });
  try {
    const controller = await createNode({ id: CONTROLLER, listen: [], peers: cluster.entrances, plugins: {}, log: { level: "silent" } });
    try {
      for (const id of cluster.ids) await controller.reachable(id, { timeout: 20_000 });
      const kinds = { small: 0.8, durable: 0.2 };
      const traffic = new Traffic({ sender: controller, targets: cluster.ids, random, perSecond: 100, ttl: TTL, kinds });
      traffic.start();
      const kills = await killEverySecond(cluster, order === "by lot" ? random : undefined, milliseconds);
      traffic.stop();
      await traffic.settle(TTL + 15_000);
      return { account: account(traffic.sent, cluster.runs()), sent: traffic.sent, kills, crashes: cluster.crashes };
    } finally {
      await controller.close();
    }
  } finally {
    await cluster.close();
  }
}

async function killEverySecond(cluster: Cluster, lot: (() => number) | undefined, milliseconds: number): Promise<number> {
  const restarts = new Set<Promise<void>>();
  const until = performance.now() + milliseconds;
  let kills = 0;
  while (performance.now() < until) {
    const second = wait(1_000);
    const up = cluster.ids.filter((id) => cluster.state(id) === "up");
    const victim = lot === undefined ? cluster.ids[kills % cluster.ids.length] : up[Math.floor(lot() * up.length)];
    if (victim !== undefined && up.includes(victim)) {
      await cluster.kill(victim);
      kills++;
      const restart = cluster.start(victim).finally(() => restarts.delete(restart));
      restarts.add(restart);
    }
    await second;
  }
  await Promise.all(restarts);
  return kills;
}
