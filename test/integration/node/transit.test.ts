import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMesh, SOON, texts } from "./meshes.ts";

let mesh: LocalMesh;

beforeEach(() => {
  mesh = new LocalMesh();
});
afterEach(async () => {
  await mesh.close();
});

const RATE = 200_000;

describe("a relay with transit.bytesPerSecond", () => {
  it("carries what a neighbour brings at that rate and loses nothing, and another's pings meanwhile", async () => {
    const relay = await mesh.node("relay", { transit: { bytesPerSecond: RATE } });
    const peers = [...relay.listening];
    await mesh.node("worker", { listen: [], peers, extraPlugins: [mesh.echo] });
    const [greedy, other] = [await mesh.node("greedy", { listen: [], peers }), await mesh.node("other", { listen: [], peers })];
    for (const node of [greedy, other]) await node.reachable("worker", { timeout: SOON });
    const payload = randomBytes(5 * RATE);
    const began = performance.now();
    const sink = texts(await greedy.send("worker", "echo:sink", payload)).then((answers) => ({ answers, took: performance.now() - began }));
    const pings: number[] = [];
    for (let over = false; !over; ) {
      pings.push((await other.ping("worker", { timeout: SOON })).rtt);
      over = await Promise.race([sink.then(() => true), new Promise<false>((resolve) => setTimeout(() => resolve(false), 100))]);
    }
    const { answers, took } = await sink;
    expect(answers).toEqual([JSON.stringify({ bytes: payload.length, sha256: createHash("sha256").update(payload).digest("hex") })]);
    // A second's worth may come at once, and what one read has brought before the pause.
    expect(took).toBeGreaterThan(2_400);
    expect(pings.length).toBeGreaterThan(5);
    expect(pings.toSorted((x, y) => x - y)[Math.floor(pings.length / 2)]).toBeLessThan(500);
  });
});
