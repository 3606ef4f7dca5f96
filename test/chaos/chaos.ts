import { createNode } from "../../src/node/create.ts";
import { seeded } from "../sim/random.ts";
import { account } from "./account.ts";
import { Churn } from "./churn.ts";
import { Cluster, CONTROLLER } from "./cluster.ts";
import type { Findings } from "./report.ts";
import { Resources } from "./resources.ts";
import { answers, Returns } from "./returns.ts";
import { Traffic } from "./traffic.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  /** Messages a second. */
  readonly rate: number;
  /** Says what it does. */
  readonly tell: (line: string) => void;
}

const TTL = 60_000;
const START = 60_000;
const KINDS = { small: 70, durable: 15, upload: 5, download: 5, long: 5 };
/** Of so many nodes one is never touched. */
const STEADY = 3;

/** Churn for so many minutes, with messages all the while; then what became of everything. */
export async function chaos({ seed, nodes, minutes, rate, tell }: ChaosOptions): Promise<Findings> {
  const cluster = await Cluster.start({ nodes, more: nodes, random: seeded(seed), probe: true });
  try {
    tell(`${nodes} nodes run; ${cluster.edges.length} links`);
    const steady = cluster.ids.filter((_, at) => at % STEADY === 0);
    await using controller = await createNode({
      id: CONTROLLER,
      listen: [],
      peers: cluster.entrances,
      plugins: {},
      log: { level: "silent" },
    });
    for (const id of cluster.ids) await controller.reachable(id, { timeout: START });
    tell("every node is reachable");
    await cluster.probeController();

    const returns = new Returns(controller);
    const resources = new Resources(cluster, [CONTROLLER, ...steady]);
    const churn = new Churn({
      cluster,
      random: seeded(seed + 1),
      steady: new Set(steady),
      every: 15_000 / nodes,
      onBack: (id, whole) => returns.watch(id, whole),
    });
    const traffic = new Traffic({
      sender: controller,
      targets: cluster.ids,
      random: seeded(seed + 2),
      perSecond: rate,
      ttl: TTL,
      kinds: KINDS,
    });
    const progress = setInterval(
      () => tell(`${traffic.sent.length} sent, ${traffic.under} under way, ${total(churn.counts)} faults`),
      30_000,
    );
    try {
      traffic.start();
      resources.start();
      await churn.run(minutes * 60_000);
      tell("no more faults");
      const healed = new Map(await Promise.all(cluster.ids.map(async (id) => [id, await answers(controller, id, START)] as const)));
      traffic.stop();
      await traffic.settle(TTL + 30_000);
      await returns.stop();
      const { work, parked } = controller.status();
      const left =
        work.length + parked.messages === 0 ? [] : [`the controller still holds ${work.length} works and ${parked.messages} messages`];
      return {
        seed,
        nodes,
        minutes,
        faults: churn.counts,
        sent: traffic.sent,
        account: account(traffic.sent, cluster.runs(), new Set(steady)),
        returns: { whole: returns.whole, hurt: returns.hurt },
        healed,
        courses: resources.courses(),
        troubles: [...churn.troubles, ...cluster.crashes, ...left],
      };
    } finally {
      clearInterval(progress);
      traffic.stop();
      resources.stop();
    }
  } finally {
    await cluster.close();
  }
}

function total(counts: Readonly<Record<string, number | undefined>>): number {
  return Object.values(counts).reduce<number>((sum, count) => sum + (count ?? 0), 0);
}
