import { parseArgs } from "node:util";
import { DECODERS } from "./decoders.ts";
import { fuzz } from "./fuzz.ts";
import { identityDecoders } from "./identity-decoders.ts";
import { sealingDecoders } from "./sealing-decoders.ts";

// `npm run fuzz -- --minutes N [NAME...]`: N minutes for each decoder, or for those that are named; `--seed` replays.
const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { minutes: { type: "string", default: "10" }, seed: { type: "string", default: String(Date.now() % 1_000_000) } },
    allowPositionals: true,
  });
  const all = { ...DECODERS, ...(await identityDecoders()), ...(await sealingDecoders()) };
  const unknown = positionals.filter((name) => !Object.hasOwn(all, name));
  if (unknown.length > 0) throw new Error(`no decoder is called ${unknown.join(", ")}: there are ${Object.keys(all).join(", ")}`);
  say(`seed ${values.seed}`);
  for (const [name, decoder] of Object.entries(all)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const start = process.cpuUsage();
    const { inputs, read, slowest, wrong } = fuzz(decoder, {
      seed: Number(values.seed),
      inputs: Infinity,
      milliseconds: Number(values.minutes) * 60_000,
    });
    const { user, system } = process.cpuUsage(start);
    const spent = `${((user + system) / 60_000_000).toFixed(1)} minutes of processor`;
    say(`${name.padEnd(30)} ${inputs} inputs, ${read} read, slowest ${slowest.toFixed(1)} ms, ${wrong.length} wrong, ${spent}`);
    for (const line of wrong) say(`  ${line}`);
    if (wrong.length > 0) process.exitCode = 1;
  }
}

await main();
