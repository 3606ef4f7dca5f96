// The packages that `receptor node` has loaded when it is ready, and nothing else.
await Promise.all(
  ["level", "msgpackr", "pino", "proxy-from-env", "semver", "uuid", "ws", "yaml", "yargs", "zod"].map((name) => import(name)),
);
process.stdout.write("ready\n");
process.exit(0);
