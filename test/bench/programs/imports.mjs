// The packages that `receptor node` is made of, where it has no configuration file, plugins or WebSockets, and nothing else.
const packages = ["level", "msgpackr", "pino", "uuid", ...(process.argv[2] === "without-yargs" ? [] : ["yargs"])];
await Promise.all(packages.map((name) => import(name)));
process.stdout.write("ready\n");
process.exit(0);
