#!/usr/bin/env node
import { setTimeout as wait } from "node:timers/promises";
import { readModulesInTurn } from "./few-descriptors.ts";

const argv = process.argv.slice(2);
const isNode = argv.find((word) => !word.startsWith("-")) === "node";
const asksForHelp = argv.includes("--help") || argv.includes("-h");

if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
  const { VERSION } = await import("../node/version.ts");
  // By itself, as to read all else that a command has takes a tenth of a second.
  process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    if (code === "EPIPE") return;
    process.stderr.write(`receptor: OUTPUT_UNWRITABLE: the output cannot be written: ${message}\n`);
    process.exitCode = 1;
  });
  process.stdout.write(`${VERSION}\n`);
} else {
  await main();
}

async function main(): Promise<void> {
  readModulesInTurn();
  loadAhead();
  const { finish, Output, runCli, services } = await import("./program.ts");
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
    // Node opens it where it is first looked at.
    get stdin() {
      return process.stdin;
    },
    signal: controller.signal,
    now: () => performance.now(),
    sleep: (milliseconds, signal) => wait(milliseconds, undefined, { signal }).catch(() => undefined),
    onReload: (listener) => void process.on("SIGHUP", listener),
  });
  // A node does its work also where its log is lost.
  process.exit(isNode ? status : await finish(status, { out, env: process.env }));
}

/** What a node needs, or help, read while all else is: it is asked for again where it is used, which tells what went wrong. */
function loadAhead(): void {
  const node = () => [import("./node.ts"), import("../node/create.ts"), import("../node/for-cli.ts")];
  const ahead: readonly Promise<unknown>[] = asksForHelp ? [import("./parse.ts")] : isNode ? node() : [];
  for (const loaded of ahead) loaded.catch(() => undefined);
}
