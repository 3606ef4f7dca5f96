import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNode } from "../../src/node/create.ts";
import { FRAME, OFFSET } from "../../src/wire/frame.ts";
import { FrameParser } from "../../src/wire/parser.ts";
import type { Recording } from "./recordings.ts";

const KIND_NAMES = new Map<number, string>(Object.entries(FRAME).map(([name, kind]) => [kind, name]));

/** Two real nodes over a real socket, frame by frame in the order in which they passed: `old` greets, sends one message, reads, leaves. */
export async function captureSession(): Promise<readonly Recording[]> {
  const found: Recording[] = [];
  const note = (direction: "sends" | "hears"): FrameParser =>
    new FrameParser((chunk, _view, start, end) => {
      const bytes = chunk.slice(start, end);
      const kind = KIND_NAMES.get(bytes[OFFSET.kind] ?? 0) ?? "unknown";
      found.push({ name: `${String(found.length + 1).padStart(2, "0")}-${direction}`, means: kind, bytes });
    });
  await using target = await createNode({ id: "target", listen: ["tcp://127.0.0.1:0"], plugins: {} });
  const to = Number(new URL(target.listening[0] ?? "").port);
  const proxy = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    const [sends, hears] = [note("sends"), note("hears")];
    near.on("data", (chunk) => {
      sends.push(new Uint8Array(chunk));
      far.write(chunk);
    });
    far.on("data", (chunk) => {
      hears.push(new Uint8Array(chunk));
      near.write(chunk);
    });
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const address = proxy.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const old = await createNode({ id: "old", listen: [], peers: [`tcp://127.0.0.1:${port}`], plugins: {} });
  await old.reachable("target");
  const work = await old.send("target", "mesh:info", "");
  await work.result();
  // The last acknowledgements are on their way.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await old.close();
  proxy.close();
  return found;
}

/** Beyond the time of whoever reads it: a wall clock that went back takes nothing from a time to live. */
const LATER = 2_500_000_000_000;

/** The files of a real node's store, in which a durable message waits for a node that nobody has heard of. */
export async function captureStore(): Promise<readonly Recording[]> {
  const folder = mkdtempSync(join(tmpdir(), "receptor-capture-"));
  const { now } = Date;
  Date.now = () => LATER;
  try {
    const keeper = await createNode({ id: "keeper", listen: [], plugins: {}, dataDir: folder });
    await keeper.send("nobody", "mesh:info", "", { ttl: 600_000, durable: true, waitFor: "parked" });
    await keeper.close();
    const store = join(folder, "store");
    return readdirSync(store)
      .filter((name) => name !== "LOG" && name !== "LOCK" && name !== "LOG.old")
      .toSorted()
      .map((name) => ({ name, means: "a file of the store", bytes: new Uint8Array(readFileSync(join(store, name))) }));
  } finally {
    Date.now = now;
    rmSync(folder, { recursive: true, force: true });
  }
}
