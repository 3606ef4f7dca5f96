// The packages that `receptor node` without a configuration file, plugins or WebSockets has loaded when it is ready, and nothing else.
await Promise.all(
  ["level", "msgpackr", "pino", "uuid", "yargs"].map((name) => import(name)),
);
process.stdout.write("ready\n");
process.exit(0);
