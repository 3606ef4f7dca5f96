import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LIMITS } from "../../../src/core/limits.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { until } from "../../support/mesh.ts";
import { routedFrame } from "../hostile/raw-peer.ts";
import { Target } from "../hostile/target.ts";
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

describe("a relay whose neighbour takes nothing", () => {
  it("reads no further what is for that one, holds little of it, serves others, and loses nothing", async () => {
    const relay = await Target.start();
    try {
      const [greedy, deaf] = [await relay.neighbour(relay.tcp, "greedy"), await relay.neighbour(relay.tcp, "deaf")];
      await relay.node.reachable("deaf", { timeout: SOON });
      deaf.pause();
      const count = 1_500;
      const text = new Uint8Array(16_000);
      for (let i = 0; i < count; i++) greedy.send(routedFrame(FRAME.message, "greedy", "deaf", text));
      const waiting = (): Promise<number> => relay.metric("receptor_link_queue_bytes");
      await until(async () => ((await waiting()) > LIMITS.linkQueueHigh ? true : undefined), SOON, "the link is full");
      await relay.serves();
      // What one read has brought is taken whole.
      expect(await waiting()).toBeLessThan(2 * LIMITS.linkQueueHigh);
      deaf.resume();
      await until(() => (deaf.all(FRAME.message).length === count ? true : undefined), SOON, "all has come");
    } finally {
      await relay.close();
    }
  });
});
