#!/usr/bin/env node
import { setTimeout as wait } from "node:timers/promises";
import { VERSION } from "../node/version.ts";
import { readModulesInTurn } from "./few-descriptors.ts";

const argv = process.argv.slice(2);
const isNode = argv.find((word) => !word.startsWith("-")) === "node";

if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
  process.stdout.write(`${VERSION}\n`);
} else {
  await main();
}

async function main(): Promise<void> {
  readModulesInTurn();
  const [{ runCli }, { Output }, { services }] = await Promise.all([import("./run.ts"), import("./output.ts"), import("./services.ts")]);
  const controller = new AbortController();
  for (const [name, exit] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.on(name, () => {
      // The second one is for somebody who cannot wait.
      if (controller.signal.aborted) process.exit(exit);
      controller.abort({ exit });
    });
  }
  // A node goes on without anybody who reads its log; other commands have nobody left to talk to.
  const onClosed = (): void => {
    if (!isNode) controller.abort({ exit: 0 });
  };
  const out = new Output({ stdout: process.stdout, stderr: process.stderr, env: process.env, onClosed });
  const status = await runCli(argv, {
    out,
    services,
    env: process.env,
    cwd: process.cwd(),
    stdin: process.stdin,
    signal: controller.signal,
    now: () => performance.now(),
    sleep: (milliseconds, signal) => wait(milliseconds, undefined, { signal }).catch(() => undefined),
    onReload: (listener) => void process.on("SIGHUP", listener),
  });
  await out.flush();
  process.exit(status);
}
