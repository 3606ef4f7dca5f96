import { afterEach, describe, expect, it } from "vitest";
import { FRAME } from "../../../src/wire/frame.ts";
import { until, within } from "../../support/mesh.ts";
import { honest } from "./tampering.ts";
import { ANSWER, bytesOf, SOON, texts, TransitMesh } from "./transit-mesh.ts";

let mesh: TransitMesh;
afterEach(() => mesh.close());

const names = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `work-${i}`);

/** Sends works from west to east, all at once, and resolves to their responses. */
async function works(texts_: readonly string[]): Promise<readonly (readonly string[])[]> {
  return await Promise.all(texts_.map(async (text) => await texts(await mesh.west.node.send("east", "probe:run", text))));
}

describe("a member that swallows what it should carry, and keeps its links", () => {
  it("is gone round where it drops every second frame", async () => {
    mesh = await TransitMesh.start({ relay: true });
    let frames = 0;
    mesh.mallory.pipes.deed = ({ frame }) => (frames++ % 2 === 0 ? [] : [frame]);
    const all = names(20);
    expect(await within(works(all), SOON, "they succeed")).toEqual(all.map((text) => [`${ANSWER} ${text}`]));
    for (const text of all) expect(mesh.ran(text)).toBe(1);
    expect(frames).toBeGreaterThan(20);
  });

  it("is gone round by works, streams and their responses where there is another way, though that costs more", async () => {
    mesh = await TransitMesh.start({ relay: true });
    const { west, east, mallory } = mesh;
    expect(west.node.status().nodes.find(({ id }) => id === "east")).toMatchObject({ via: "mallory", hops: 2 });
    mallory.pipes.deed = () => [];
    const all = names(20);
    expect(await within(works(all), SOON, "they go round")).toEqual(all.map((text) => [`${ANSWER} ${text}`]));
    for (const text of all) expect(mesh.ran(text)).toBe(1);
    // And what follows waits for nothing, a ping neither.
    const after = performance.now();
    const streamed = Buffer.alloc(1 << 19, "round|");
    expect((await bytesOf(await west.node.send("east", "probe:flood", streamed))).equals(streamed)).toBe(true);
    expect((await west.node.ping("east")).hops).toBe(2);
    expect(performance.now() - after).toBeLessThan(1_000);
    expect(await texts(await east.node.send("west", "probe:run", "back"))).toEqual([`${ANSWER} back`]);
    expect(
      west.node
        .status()
        .links.map(({ peer }) => peer)
        .toSorted(),
    ).toEqual(["mallory", "relay"]);
  });

  it("is gone round by a work that has begun already", async () => {
    mesh = await TransitMesh.start({ relay: true });
    const { west, mallory } = mesh;
    const work = await west.node.send("east", "probe:wait", "long");
    const rest = texts(work);
    await until(() => (mesh.ran("long") === 1 ? true : undefined), SOON, "it runs");
    mallory.pipes.deed = () => [];
    mesh.release();
    expect(await within(rest, SOON, "its responses go round")).toEqual(["begun", `${ANSWER} long`]);
  });

  it("is gone round where it swallows messages alone, and carries all the rest", async () => {
    mesh = await TransitMesh.start({ relay: true });
    mesh.mallory.pipes.deed = ({ kind, frame }) => (kind === FRAME.message ? [] : [frame]);
    const all = names(10);
    expect(await within(works(all), SOON, "they go round")).toEqual(all.map((text) => [`${ANSWER} ${text}`]));
  });

  it("attracts nothing by the costs that it claims: those count that honest ends give their links", async () => {
    mesh = await TransitMesh.start({ relay: true, cost: 15, mallory: { listen: ["tls://127.0.0.1:0?cost=0.001"] } });
    const { west, mallory } = mesh;
    expect(mallory.node.status().links.map(({ peer, cost }) => [peer, cost])).toEqual([
      ["west", 0.001],
      ["east", 0.001],
    ]);
    const wayTo = (from: typeof west, to: string): unknown => from.node.status().nodes.find(({ id }) => id === to)?.via;
    // The links are there a moment before the routes are drawn anew.
    await until(() => (wayTo(west, "east") === "relay" && wayTo(mesh.east, "west") === "relay" ? true : undefined), 2_000, "by the relay");
    expect(west.node.status().nodes.find(({ id }) => id === "east")).toMatchObject({ via: "relay", cost: 20 });
    expect(mesh.east.node.status().nodes.find(({ id }) => id === "west")).toMatchObject({ via: "relay", cost: 20 });
    mallory.pipes.deed = () => [];
    expect(await works(["at once"])).toEqual([[`${ANSWER} at once`]]);
    expect(mallory.pipes.passed.filter(({ kind }) => kind === FRAME.message)).toEqual([]);
  });

  it("carries again what it then lets pass", async () => {
    mesh = await TransitMesh.start();
    mesh.mallory.pipes.deed = () => [];
    const work = mesh.west.node.send("east", "probe:run", "late");
    await until(() => (mesh.mallory.pipes.passed.length > 1 ? true : undefined), SOON, "it is sent again");
    mesh.mallory.pipes.deed = honest;
    expect(await texts(await work)).toEqual([`${ANSWER} late`]);
  });
});
