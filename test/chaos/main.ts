import { parseArgs } from "node:util";
import { chaos } from "./chaos.ts";
import { format, verdict } from "./report.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    nodes: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    rate: { type: "string", default: "50" },
  },
});

const began = performance.now();
const findings = await chaos({
  minutes: Number(values.minutes),
  nodes: Number(values.nodes),
  seed: Number(values.seed),
  rate: Number(values.rate),
  tell: (line) => console.error(`${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s  ${line}`),
});
console.log(format(findings));
process.exitCode = verdict(findings).length === 0 ? 0 : 1;
