/** A controller that sends numbered messages to each of NODES without pause: `netns-controller.ts DATA ADDRESS NODES...`. */
import type { createNode, MeshNode } from "../../src/index.ts";

const [dataDir = "", address = "", ...nodes] = process.argv.slice(2);
const library = (await import(new URL("../../dist/index.js", import.meta.url).href)) as { readonly createNode: typeof createNode };
const EVERY = 200;
/** With it a message is larger than a small MTU. */
const padding = "x".repeat(1_000);

function say(type: string, more: object): void {
  process.stdout.write(`${JSON.stringify({ at: Date.now(), type, ...more })}\n`);
}

async function send(to: MeshNode, target: string, number: string): Promise<void> {
  const work = await to.send(target, "ledger:add", number, {
    ttl: 120_000,
    waitFor: "sent",
    headers: { padding },
  });
  say("sent", { node: target, number });
  const outcome = await work.result().then(
    () => "succeeded",
    (error: unknown) => (typeof error === "object" && error !== null && "code" in error ? String(error.code) : String(error)),
  );
  const via = to.status().nodes.find(({ id }) => id === target)?.via;
  say("ended", { node: target, number, outcome, via });
}

const node = await library.createNode({
  id: "controller",
  dataDir,
  listen: [`tcp://${address}:8888`],
  insecure: true,
  plugins: {},
  log: { level: "error" },
});
let sending = true;
let open = 0;
process.stdin.once("data", () => (sending = false));
void (async () => {
  for await (const event of node.events()) if (event.type.startsWith("link-") || event.type.startsWith("node-")) say(event.type, event);
})();
let next = 1;
const timer = setInterval(() => {
  for (const target of sending ? nodes : []) {
    open++;
    void send(node, target, String(next++)).finally(() => open--);
  }
  if (sending || open > 0) return;
  clearInterval(timer);
  say("settled", {});
}, EVERY);
