// `npm start`: three real nodes on loopback, work sent across the relay; then the relay is killed, a message waits on disk, the
// relay returns, and the message arrives. `npm start -- --keep` leaves the mesh running.
import { join } from "node:path";
import { DemoMesh } from "./support/demo-mesh.mjs";
import { root } from "./support/process.mjs";

const WAIT = 30_000;
const keep = process.argv.slice(2).includes("--keep");
const unknown = process.argv.slice(2).find((argument) => argument !== "--keep");

const colours = process.stdout.isTTY && (process.env.NO_COLOR ?? "") === "";
const paint = (code) => (text) => (colours ? `\u001b[${code}m${text}\u001b[0m` : String(text));
const [bold, dim, green, yellow, red, cyan] = [1, 2, 32, 33, 31, 36].map(paint);

const started = performance.now();
const say = (text = "") =>
  console.log(text === "" ? "" : `${dim(`${((performance.now() - started) / 1000).toFixed(2).padStart(6)} s`)}  ${text}`);
const title = (text) => {
  console.log();
  say(bold(text));
};

/** Asks the node at `url` for its status until `holds`. */
async function until(mesh, url, what, holds) {
  const end = performance.now() + WAIT;
  while (performance.now() < end) {
    const status = await mesh.ask(["status", "--peer", url]);
    if (holds(status)) return status;
  }
  throw new Error(`${what}: not within ${WAIT / 1000} s`);
}

const sees = (status, id) => status.nodes.some((node) => node.id === id && node.reachable);

/** Sends work and prints what happens to it, as it happens. `onParked` runs once, when it waits on a disk. */
async function send(mesh, url, [directive, payload, ...options], onParked) {
  say(`${dim("$")} receptor send worker ${directive} '${payload}' ${options.join(" ")}`);
  let state;
  for await (const event of mesh.receptor(["send", "worker", directive, payload, "--peer", url, ...options], WAIT * 2)) {
    if (event?.type === "parked") {
      say(`  ${yellow("parked")} at ${event.node}: on disk, until there is a route`);
      await onParked?.();
      onParked = undefined;
    } else if (event?.type === "accepted") say(`  ${green("accepted")} by ${event.node}`);
    else if (event?.type === "response") say(`  response ${event.serial}: ${cyan((event.text ?? `${event.base64} (base64)`).trimEnd())}`);
    else if (event?.type === "end") {
      state = event.state;
      say(`  ${state === "succeeded" ? green(state) : red(state)}${event.error === undefined ? "" : `: ${event.error.message}`}`);
    }
  }
  if (state !== "succeeded") throw new Error(`the work ended as ${state ?? "nothing"}`);
}

async function tell(mesh) {
  title("Three nodes, each a process of its own");
  const relay = await mesh.start("relay", ["--listen", "tcp://127.0.0.1:0"]);
  const relayUrl = relay.listening[0];
  say(`relay       pid ${relay.pid}, listening on ${relayUrl}`);
  const worker = mesh.start("worker", ["--no-listen", "--peer", relayUrl, "--plugin", join(root, "plugins/echo")]);
  // Awaited below; if the controller fails first, that is what is told.
  worker.catch(() => undefined);
  const controller = await mesh.start("controller", ["--listen", "tcp://127.0.0.1:0", "--peer", relayUrl]);
  const url = controller.listening[0];
  say(`controller  pid ${controller.pid}, listening on ${url}, dials the relay`);
  say(`worker      pid ${(await worker).pid}, listens nowhere, dials the relay, has the plugin echo`);
  const { nodes } = await until(mesh, url, "the controller finds a route to the worker", (status) => sees(status, "worker"));
  const route = nodes.find((node) => node.id === "worker");
  say(`controller has a route: ${bold(`worker via ${route.via}`)}, ${route.hops} hops`);

  title("Work across the relay, its responses streamed back");
  await send(mesh, url, ["echo:run", "hello from the controller"]);
  await send(mesh, url, ["echo:count", '{"count":5,"interval":150}']);

  title("The relay dies (SIGKILL)");
  await mesh.kill("relay");
  await until(mesh, url, "the controller notices", (status) => !sees(status, "worker"));
  say("controller has no route to the worker any more");

  title("A message for a worker that nobody can reach");
  await send(mesh, url, ["echo:run", "sent while the relay was dead", "--ttl", "120"], async () => {
    const { parked } = await mesh.ask(["status", "--peer", url]);
    say(`  controller's store holds ${bold(`${parked.messages} message${parked.messages === 1 ? "" : "s"}`)}, ${parked.bytes} bytes`);
    title("The relay returns, with the same data and address");
    const again = await mesh.start("relay", ["--listen", relayUrl]);
    say(`relay       pid ${again.pid}, listening on ${again.listening[0]}`);
  });
  const { parked } = await until(mesh, url, "the store of the controller is empty", (status) => status.parked.messages === 0);
  say(`controller's store holds ${parked.messages} messages: it arrived`);
  return url;
}

function explain(mesh, url) {
  title("The mesh runs on");
  const command = `node ${join(root, "dist/cli/main.js")}`;
  console.log(`
  export RECEPTOR_PEER=${url}
  ${command} status
  ${command} ping worker
  ${command} send worker echo:run "hello"
  ${command} send worker echo:count '{"count":10,"interval":500}'

  its data and logs: ${mesh.folder}
  to end it:         kill ${mesh.pids.join(" ")}
`);
}

async function main() {
  if (unknown !== undefined) {
    console.error(`There is no option "${unknown}", only --keep.`);
    return 2;
  }
  const mesh = new DemoMesh();
  let interrupted = false;
  const interrupt = () => {
    // The second one ends this at once; the nodes are children that end with their data folder.
    if (interrupted) process.exit(130);
    interrupted = true;
    console.log();
    say("interrupted: ending the nodes ...");
    void mesh.close().finally(() => process.exit(130));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, interrupt);
  try {
    const url = await tell(mesh);
    if (keep) {
      explain(mesh, url);
      mesh.release();
      return 0;
    }
    title("Done");
    await mesh.close();
    say("all nodes ended, their data removed");
    return 0;
  } catch (error) {
    if (interrupted) return 130;
    say(red(`failed: ${error.message}`));
    for (const { id, text } of mesh.logs()) console.error(`\n--- last lines of ${id}\n${text}`);
    await mesh.close();
    return 1;
  }
}

process.exitCode = await main();
if (keep && process.exitCode === 0) process.exit();
