import { parseArgs } from "node:util";
import { broken } from "./account.ts";
import { chaos } from "./chaos.ts";
import { format, formatAccount, verdict } from "./report.ts";
import { ten } from "./ten.ts";

// `--scenario ten`: the test of that name, for longer. Otherwise everything at once, on more nodes.
const { values } = parseArgs({
  options: {
    scenario: { type: "string", default: "all" },
    minutes: { type: "string" },
    nodes: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    rate: { type: "string", default: "50" },
  },
});

const seed = Number(values.seed);
const began = performance.now();

async function runTen(minutes: number): Promise<boolean> {
  const { account, sent, kills, crashes } = await ten(seed, minutes * 60_000);
  const done = (account.outcomes.done ?? 0) / account.sent;
  const few = done < 0.99 ? [`only ${(100 * done).toFixed(2)} % were done`] : [];
  const wrong = [...broken(account), ...crashes, ...few];
  console.log([`ten nodes, ${kills} kills`, ...formatAccount(account, sent), ...wrong].join("\n"));
  return wrong.length === 0;
}

async function runAll(minutes: number): Promise<boolean> {
  const findings = await chaos({
    minutes,
    nodes: Number(values.nodes),
    seed,
    rate: Number(values.rate),
    tell: (line) => console.error(`${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s  ${line}`),
  });
  console.log(format(findings));
  return verdict(findings).length === 0;
}

const kept = values.scenario === "ten" ? await runTen(Number(values.minutes ?? 1)) : await runAll(Number(values.minutes ?? 60));
process.exitCode = kept ? 0 : 1;
