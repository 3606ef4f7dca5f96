// A program with an isolated plugin that says what its own descriptors and those of the plugin's process stand for.
import { readdirSync, readlinkSync } from "node:fs";
import { Bench } from "./harness.ts";

const targets = `fs.readdirSync("/proc/self/fd").flatMap((fd) => { try { return [fs.readlinkSync("/proc/self/fd/" + fd)]; } catch { return []; } })`;
await using bench = await Bench.open(`async run() { return ${targets}; }`);
const plugin: unknown = JSON.parse((await bench.ask("run"))[0] ?? "[]");
const node = readdirSync("/proc/self/fd").flatMap((fd) => {
  try {
    return [readlinkSync(`/proc/self/fd/${fd}`)];
  } catch {
    // The one that the listing itself took.
    return [];
  }
});
process.stdout.write(JSON.stringify({ node, plugin }));
