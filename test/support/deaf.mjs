import { createNode } from "../../dist/index.js";

/** A program that asks for much, and then reads nothing, not even its link: `node deaf.mjs PEER NODE`. It says "deaf" when it begins to be so. */
const [peer, worker] = process.argv.slice(2);
const STREAMS = 64;
const node = await createNode({ id: "deaf", listen: [], peers: [peer], plugins: {}, log: { level: "silent" } });
await node.reachable(worker, { timeout: 20_000 });
const works = await Promise.all(Array.from({ length: STREAMS }, () => node.send(worker, "echo:source", { bytes: 2 ** 30 })));
await Promise.all(
  works.map(async (work) => {
    for await (const response of work) for await (const _ of response.stream()) return;
  }),
);
process.stdout.write("deaf\n", () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
