// A controller: a program that has the node as a library. `node examples/controller.mjs [PEER] [NODE] [DIRECTIVE] [PAYLOAD]`
import { createNode, isMeshError } from "receptor-mesh";

const [peer = "tcp://127.0.0.1:8888", worker = "worker", directive = "echo:run", payload = "hello"] = process.argv.slice(2);

// It listens nowhere, and keeps one link; its data folder is temporary. In TypeScript: `await using node = await createNode(...)`.
const node = await createNode({ id: `controller-${process.pid}`, listen: [], peers: [peer] });
try {
  await node.reachable(worker, { timeout: 10_000 });
  const work = await node.send(worker, directive, payload, { ttl: 60_000 });
  for await (const response of work) console.log(response.serial, response.text());
  const { state, responses } = await work.result();
  console.log(`${work.node} ${state} after ${responses} response${responses === 1 ? "" : "s"}`);
} catch (error) {
  if (!isMeshError(error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = error.exit;
} finally {
  await node.close();
}
