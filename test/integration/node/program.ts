/** Programs that use the library, for tests that kill them: `program.ts WHAT FACTS`. Each says what it sees as JSON lines. */
import { createNode, isMeshError, type MeshNode, type Work } from "../../../src/index.ts";

interface Facts {
  readonly node: object;
  readonly directive?: string;
  readonly payload?: string;
  readonly send?: object;
  readonly work?: string;
  readonly from?: number;
}

const [what = "", text = "{}"] = process.argv.slice(2);
const facts = JSON.parse(text) as Facts;

function say(type: string, more: object = {}): void {
  process.stdout.write(`${JSON.stringify({ type, ...more })}\n`);
}

async function follow(work: Work): Promise<void> {
  try {
    for await (const response of work) say("response", { serial: response.serial, text: response.text() });
    say("end");
  } catch (error) {
    say("failed", { code: isMeshError(error) ? error.code : String(error) });
  }
}

async function send(node: MeshNode): Promise<void> {
  const work = await node.send("worker", facts.directive ?? "", facts.payload ?? "", facts.send);
  say("sent", { id: work.id, state: work.state });
  await follow(work);
}

async function attach(node: MeshNode): Promise<void> {
  await node.reachable("worker");
  await follow(await node.attach(facts.work ?? "", { node: "worker", from: facts.from ?? 1 }));
}

/** Runs until it is killed. */
async function serve(node: MeshNode): Promise<void> {
  for await (const event of node.events()) if (event.type.startsWith("work-")) say(event.type, event);
}

const node = await createNode({ listen: [], plugins: {}, ...facts.node });
say("ready", { listening: node.listening });
if (what === "send") await send(node);
else if (what === "attach") await attach(node);
else await serve(node);
await node.close();
