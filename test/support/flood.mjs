import { createNode } from "../../dist/index.js";

/** A member that sends to all others as fast as it can, and waits for nothing: `node flood.mjs DATA_DIR PEER NODE...`; "-": in no folder. */
const [dataDir, peer, ...nodes] = process.argv.slice(2);
const payload = Buffer.alloc(1_024, 7);
const own = dataDir === "-" ? {} : { dataDir };
const node = await createNode({ id: "greedy", listen: [], peers: [peer], plugins: {}, log: { level: "silent" }, ...own });
for (const id of nodes) await node.reachable(id, { timeout: 20_000 });
process.stdout.write("floods\n");
for (let sent = 0; ; ) {
  for (const id of nodes) {
    for (let i = 0; i < 200; i++) {
      node.send(id, "echo:run", payload, { ttl: 5_000, waitFor: "sent" }).then(
        (work) => work.result().catch(() => undefined),
        () => undefined,
      );
    }
    sent += 200;
    if (sent % 2_000 === 0) process.stdout.write(`${sent}\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
