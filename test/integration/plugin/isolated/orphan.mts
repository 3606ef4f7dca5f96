// A program with an isolated plugin that says the ids of the plugin's process and of a command of that, and waits to be killed.
import { setTimeout as wait } from "node:timers/promises";
import { Bench } from "./harness.ts";

const bench = await Bench.open(
  `async *child() { const { spawn } = await import("node:child_process"); yield spawn("sleep", ["600"]).pid; await sleep(600_000); },
   async *loop() { yield "on"; await sleep(10); for (;;); }`,
);
const child = bench.start("child");
while (child.sink.responses.length === 0) await wait(10);
if (process.argv[2] === "loop") {
  const loop = bench.start("loop");
  while (loop.sink.responses.length === 0) await wait(10);
}
process.stdout.write(JSON.stringify([bench.plugin.pid, Number(child.sink.responses[0]?.text)]));
