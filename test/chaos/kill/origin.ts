/** A controller that is killed again and again: `origin.ts FOLDER LEDGER PEER RATE`. Says how much is open, and stops sending when told. */
import { setTimeout as wait } from "node:timers/promises";
import type { createNode, MeshNode, Work } from "../../../src/index.ts";
import { note, readLedger } from "./ledger.ts";

const DESTINATION = "destination";
const TTL = 900_000;
const TICK = 20;
/** Works of earlier lives that are asked for at once. */
const LANES = 100;

const [folder = "", ledger = "", peer = "", rate = "0"] = process.argv.slice(2);
const library = (await import(new URL("../../../dist/index.js", import.meta.url).href)) as {
  readonly createNode: typeof createNode;
  readonly isMeshError: (error: unknown) => error is { readonly code: string };
};

const open = new Set<string>();
let sending = true;
process.on("message", () => (sending = false));
process.on("disconnect", () => process.exit(0));

async function follow(work: Work): Promise<void> {
  // Reads the responses away: the end comes behind them.
  const result = work.result().catch(() => undefined);
  for await (const event of work.events()) {
    if (event.type === "parked") note(ledger, { type: "parked", id: work.id, node: event.node });
    if (event.type === "accepted") note(ledger, { type: "accepted", id: work.id });
    if (event.type === "end") end(work.id, event.error?.code ?? event.state);
  }
  await result;
}

function end(id: string, outcome: string): void {
  if (open.delete(id)) note(ledger, { type: "end", id, outcome });
}

async function send(node: MeshNode, number: string): Promise<void> {
  const work = await node.send(DESTINATION, "ledger:add", number, { durable: true, ttl: TTL, waitFor: "sent" });
  open.add(work.id);
  note(ledger, { type: "sent", id: work.id, number });
  await follow(work);
}

/** Asks what became of a work of an earlier life, until there is an answer. */
async function ask(node: MeshNode, id: string): Promise<void> {
  for (;;) {
    try {
      return await follow(await node.attach(id, { node: DESTINATION }));
    } catch (error) {
      if (!library.isMeshError(error)) throw error;
      if (!["TIMEOUT", "UNKNOWN_NODE", "NO_ROUTE"].includes(error.code)) return end(id, error.code);
      await wait(200);
    }
  }
}

/** What is under way by state, for who wonders why it does not end. */
function states(of: MeshNode): Readonly<Record<string, number>> {
  const { work, parked, links } = of.status();
  const counts: Record<string, number> = { links: links.length, "parked here": parked.messages };
  for (const { state } of work) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

const before = readLedger(ledger);
note(ledger, { type: "life" });
const life = 1 + before.filter(({ type }) => type === "life").length;
for (const entry of before) {
  if (entry.type === "sent") open.add(entry.id);
  else if (entry.type === "end") open.delete(entry.id);
}
const node = await library.createNode({
  id: "origin",
  // A leaf parks nothing: what it sends waits at the relay. Every other life is none, and keeps what has no route.
  leaf: life % 2 === 1,
  dataDir: folder,
  listen: [],
  peers: [peer],
  plugins: {},
  log: { level: "warn", format: "json" },
});
// What the store had is sent on by itself, also what died before it was written down here.
for (const { id, role } of node.status().work) if (role === "sender") open.add(id);
const asked = [...open].values();
for (let lane = 0; lane < LANES; lane++) {
  void (async () => {
    for (const id of asked) await ask(node, id);
  })();
}
setInterval(() => process.send?.({ open: open.size, sending }), 100);
setInterval(() => process.send?.({ states: states(node) }), 2_000);
let next = 1;
for (let due = performance.now(); ; due += TICK) {
  const burst = sending ? (Number(rate) * TICK) / 1_000 : 0;
  for (let i = 0; i < burst; i++) void send(node, `${life}-${next++}`);
  await wait(Math.max(0, due + TICK - performance.now()));
}
