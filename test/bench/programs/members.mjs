// Nodes of the built library, in plain JavaScript since thirty of these processes start at once. Answers as support/child.ts asks.
import { createNode } from "../../../dist/index.js";

// Against an event that never comes. A status of each of a hundred nodes every few milliseconds would be all that they do.
const CHECK = 1_000;
const nodes = [];

const handlers = {
  /** `members`: `{ id, peers }` each; resolves to where they listen, when they do. */
  async start({ members }) {
    const urls = [];
    for (const { id, peers } of members) {
      const node = await createNode({ id, listen: ["tcp://127.0.0.1:0"], peers, plugins: {}, log: { level: "silent" } });
      nodes.push(node);
      urls.push(node.listening[0]);
    }
    return urls;
  },
  /** Resolves when each node here has a route to `count` others, to the wall clock in milliseconds with fractions. */
  async full({ count }) {
    await Promise.all(nodes.map((node) => hasRoutes(node, count)));
    return now();
  },
  async leave() {
    for (const node of nodes.splice(0)) await node.close({ drain: 0 });
  },
};

function now() {
  return performance.timeOrigin + performance.now();
}

async function hasRoutes(node, count) {
  const ended = new AbortController();
  const full = () => node.status().nodes.filter(({ id, reachable }) => reachable && id !== node.id).length >= count;
  await new Promise((resolve) => {
    const check = () => full() && resolve();
    const timer = setInterval(check, CHECK);
    ended.signal.addEventListener("abort", () => clearInterval(timer));
    void follow(node, ended.signal, check);
    check();
  });
  ended.abort();
}

async function follow(node, signal, check) {
  try {
    for await (const event of node.events({ signal })) if (event.type === "routes-changed") check();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

process.on("disconnect", () => process.exit(0));
process.on("message", ({ what, argument }) => {
  if (what === "stop") process.exit(0);
  handlers[what](argument).then(
    (result) => process.send({ result }),
    (error) => process.send({ error: String(error) }),
  );
});
