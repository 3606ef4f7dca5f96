import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openLevelStore } from "../../../src/storage/level-store.ts";
import { entriesOf } from "../../../src/storage/promised.ts";
import { COMMAND, freePort, until } from "../../support/mesh.ts";
import { seeded } from "../../sim/random.ts";
import { readLedger, readRuns } from "./ledger.ts";
import { judge, type Verdict } from "./verdict.ts";
import { Victim } from "./victim.ts";

export interface KillPlan {
  readonly kills: number;
  /** Messages a second while the origin runs. */
  readonly rate: number;
  readonly seed: number;
  readonly tell?: (line: string) => void;
}

export interface KillReport extends Verdict {
  readonly kills: Readonly<Record<string, number>>;
  readonly seconds: number;
}

const ORIGIN = fileURLToPath(new URL("./origin.ts", import.meta.url));
const PLUGIN = fileURLToPath(new URL("./plugin", import.meta.url));
/** Milliseconds from one kill to the next, and for which the killed one is away. */
const BETWEEN = { least: 300, most: 900 } as const;
/** Most kills hit a process that has been ready for a moment, so that messages flow; the others hit it while it starts. */
const GROWN = 300;
const INFANTS = 0.2;
const AWAY: Readonly<Record<string, number>> = { origin: 300, relay: 500, destination: 2_500 };
const SETTLE = 120_000;

/**
 * Origin, parking relay and destination as processes of their own; one of them at random is killed with -9 and started again, so many
 * times. Then all is let settle, and what was acknowledged is held against what ran.
 */
export async function runKills(plan: KillPlan): Promise<KillReport> {
  const folder = mkdtempSync(join(tmpdir(), "receptor-kill-"));
  const victims: Victim[] = [];
  const started = performance.now();
  try {
    const ledger = join(folder, "ledger");
    const runs = join(folder, "runs");
    let open = Infinity;
    let sending = true;
    let states: unknown;
    const trio = await makeVictims(folder, { ledger, runs, rate: plan.rate }, (message) => {
      if (typeof message !== "object" || message === null) return;
      if ("open" in message && typeof message.open === "number") open = message.open;
      if ("sending" in message && typeof message.sending === "boolean") sending = message.sending;
      if ("states" in message) states = message.states;
    });
    victims.push(...trio);
    for (const victim of victims) victim.start();
    await until(() => (readRuns(runs).length > 0 ? true : undefined), 20_000, "the first message has run");

    const stored = new Set<string>();
    const random = seeded(plan.seed);
    const returns = new Set<Promise<void>>();
    for (let kill = 1; kill <= plan.kills; kill++) {
      await wait(BETWEEN.least + random() * (BETWEEN.most - BETWEEN.least));
      const youngest = random() < INFANTS ? 0 : GROWN;
      const there = victims.filter(({ age }) => age !== undefined && age >= youngest);
      const victim = there[Math.floor(random() * there.length)];
      if (victim === undefined) {
        // Nobody is old enough yet.
        kill--;
        continue;
      }
      await victim.kill();
      plan.tell?.(`kill ${kill}: ${victim.name}`);
      const back = comeBack(victim, random() * (AWAY[victim.name] ?? 0), folder, stored).finally(() => returns.delete(back));
      returns.add(back);
    }
    await Promise.all(returns);
    plan.tell?.("all are back: settling");
    const stop = (): true | undefined => {
      if (!sending) return true;
      for (const victim of victims) victim.send("stop");
      return undefined;
    };
    await until(stop, 20_000, "the origin sends no more");
    open = Infinity;
    const failures: string[] = [];
    await until(() => (open === 0 ? true : undefined), SETTLE, "every message has an end").catch((error: unknown) =>
      failures.push(`${String(error)}; at the origin: ${JSON.stringify(states)}`),
    );
    const verdict = judge(readLedger(ledger), stored, readRuns(runs));
    failures.push(...victims.flatMap((victim) => victim.failures));
    return {
      ...verdict,
      breaches: [...failures, ...verdict.breaches],
      kills: Object.fromEntries(victims.map(({ name, kills }) => [name, kills])),
      seconds: (performance.now() - started) / 1_000,
    };
  } finally {
    await Promise.all(victims.map((victim) => victim.kill()));
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** What the origin's store holds after its death was stored durably, and counts as acknowledged. */
async function comeBack(victim: Victim, after: number, folder: string, stored: Set<string>): Promise<void> {
  if (victim.name === "origin") for (const id of await outbox(folder)) stored.add(id);
  await wait(after);
  victim.start();
}

/** The ids in a copy of the origin's outbox: the store itself is left as its death left it. */
async function outbox(folder: string): Promise<readonly string[]> {
  const source = join(folder, "origin", "store");
  if (!existsSync(source)) return [];
  const copy = join(folder, "copy");
  cpSync(source, copy, { recursive: true });
  const store = await openLevelStore(copy);
  try {
    const prefix = "outbox/";
    return (await entriesOf(store, { from: prefix, to: `${prefix}~` })).map(({ key }) => key.slice(prefix.length));
  } finally {
    await store.close();
    rmSync(copy, { recursive: true });
  }
}

async function makeVictims(
  folder: string,
  { ledger, runs, rate }: { readonly ledger: string; readonly runs: string; readonly rate: number },
  onMessage: (message: unknown) => void,
): Promise<readonly Victim[]> {
  const url = `tcp://127.0.0.1:${await freePort()}`;
  const config = join(folder, "receptor.config.yaml");
  // What waited comes all at once when the destination is back, and nothing of it may be refused.
  writeFileSync(config, "work: { maxConcurrent: 64, queue: 1000000 }\nlog: { level: info, format: json }\n");
  const command = (id: string, more: readonly string[]): string[] => {
    return [COMMAND, "node", "--id", id, "--data-dir", join(folder, id), "--config", config, ...more];
  };
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("RECEPTOR_")));
  const env = { ...clean, CHAOS_RUNS: runs };
  const origin = ["--import", "tsx", ORIGIN, join(folder, "origin"), ledger, url, String(rate)];
  return [
    new Victim({ name: "origin", args: origin, env, folder: fileURLToPath(new URL("../../..", import.meta.url)), onMessage }),
    new Victim({ name: "relay", args: command("relay", ["--listen", url]), env, folder }),
    new Victim({ name: "destination", args: command("destination", ["--no-listen", "--peer", url, "--plugin", PLUGIN]), env, folder }),
  ];
}
