import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { MeshNode } from "receptor-mesh";
import { FRAME, OFFSET, ROUTED_HEADER } from "../../../src/wire/frame.ts";
import { readSealedParts } from "../../../src/wire/sealed.ts";
import { until } from "../../support/mesh.ts";
import { honest, type Passing } from "./tampering.ts";
import { ANSWER, bytesOf, SOON, texts, TransitMesh } from "./transit-mesh.ts";

let mesh: TransitMesh;
afterEach(() => mesh.close());

/** Sends a work of east's, and resolves to what came of it: its responses, or the code of its error. */
async function outcome(from: MeshNode, text: string, ttl?: number): Promise<readonly string[] | string> {
  try {
    return await texts(await from.send("east", "probe:run", text, ttl === undefined ? {} : { ttl }));
  } catch (error) {
    return String((error as { readonly code?: string }).code);
  }
}

describe("a member that carries for two others and reads what it carries", () => {
  it("finds nothing of a work, its headers, its payload or its responses", async () => {
    mesh = await TransitMesh.start();
    const [payload, header] = ["the-payload-is-for-east-alone", "the-header-is-for-east-alone"];
    const { node } = mesh.west;
    expect(await texts(await node.send("east", "probe:run", payload, { headers: { secret: header } }))).toEqual([`${ANSWER} ${payload}`]);
    expect(mesh.runs).toMatchObject([{ text: payload, headers: { secret: header } }]);
    const streamed = Buffer.alloc(1 << 20, `${payload}|`);
    expect((await bytesOf(await node.send("east", "probe:flood", streamed))).equals(streamed)).toBe(true);
    const { bytes, passed } = mesh.mallory.pipes;
    const sent = Buffer.concat(bytes);
    // In and out, of the payload and of the responses.
    expect(sent.length).toBeGreaterThan(4 * streamed.length);
    expect(new Set(passed.map(({ kind }) => kind))).toEqual(new Set([FRAME.message, FRAME.data, FRAME.ack]));
    for (const known of [payload, header, "probe:run", "probe:flood", ANSWER]) expect(sent.includes(known)).toBe(false);
  });

  it("finds nothing of a message that waits on its disk", async () => {
    mesh = await TransitMesh.start({ west: { leaf: true } });
    const { west, mallory } = mesh;
    mallory.pipes.cut("east");
    await until(() => (west.node.status().nodes.some(({ id }) => id === "east") ? undefined : true), SOON, "east is out of reach");
    const secret = "parked-for-east-alone";
    const work = await west.node.send("east", "probe:run", secret, { ttl: 60_000, waitFor: "parked" });
    expect(mallory.node.queue()).toMatchObject([{ id: work.id, from: "west", to: "east" }]);
    const store = filesOf(mesh.at("mallory"));
    // It is there, with the id in its header.
    expect(store.includes(Buffer.from(work.id.replaceAll("-", ""), "hex"))).toBe(true);
    for (const known of [secret, "probe:run"]) expect(store.includes(known)).toBe(false);
    mallory.pipes.banned.clear();
    expect(await texts(work)).toEqual([`${ANSWER} ${secret}`]);
  });
});

/** All bytes of all files in a folder. */
function filesOf(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Buffer.concat(files.map((entry) => readFileSync(join(entry.parentPath, entry.name))));
}

/** Where a bit is turned: names of places, and at which byte of a sealed frame they are. */
const PLACES: Readonly<Record<string, (frame: Uint8Array) => number>> = {
  kind: () => OFFSET.kind,
  flags: () => OFFSET.flags,
  hops: () => OFFSET.hops,
  source: () => OFFSET.source + 7,
  ttl: () => OFFSET.ttl + 2,
  auxiliary: () => OFFSET.auxiliary + 1,
  id: () => OFFSET.id + 15,
  session: () => ROUTED_HEADER + 3,
  heard: () => ROUTED_HEADER + 9,
  "time to live": () => ROUTED_HEADER + 13,
  "length of the offer": () => ROUTED_HEADER + 17,
  "middle of the offer": (frame) => Math.floor((partsOf(frame).offerAt + partsOf(frame).nonceAt) / 2),
  nonce: (frame) => partsOf(frame).nonceAt + 5,
  "sealed text": (frame) => partsOf(frame).textAt,
  tag: (frame) => frame.length - 1,
};

/** Of these no end can tell that it was changed, since relays change them; nor does it need to. */
const FREE: readonly string[] = ["hops", "ttl"];

function partsOf(frame: Uint8Array): ReturnType<typeof readSealedParts> {
  return readSealedParts(new DataView(frame.buffer, frame.byteOffset, frame.byteLength), 0, frame.length);
}

function flipped(frame: Uint8Array, at: number): Uint8Array {
  const copy = frame.slice();
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

describe("a member that carries for two others and turns a bit of what it carries", () => {
  it("has nothing wrong accepted, whatever the place and the kind of frame, and each is counted", async () => {
    mesh = await TransitMesh.start();
    const { west, mallory } = mesh;
    await west.node.ping("east");
    const kinds: readonly number[] = [FRAME.message, FRAME.data, FRAME.ack, FRAME.receipt, FRAME.reset, FRAME.echo, FRAME.echoReply];
    const left = new Map(kinds.map((kind) => [kind, Object.keys(PLACES)]));
    const turned: { readonly kind: number; readonly place: string }[] = [];
    mallory.pipes.deed = ({ kind, frame }) => {
      const place = left.get(kind)?.pop();
      if (place === undefined) return [frame];
      turned.push({ kind, place });
      return [flipped(frame, PLACES[place]?.(frame) ?? 0)];
    };
    const names = Array.from({ length: 60 }, (_, i) => `bits-${i}`);
    const cancel = async (name: string): Promise<string> => {
      const work = await west.node.send("east", "probe:wait", `cancelled-${name}`);
      await work.cancel();
      return work.state;
    };
    const ping = (): Promise<unknown> => west.node.ping("east", { timeout: 1_000 }).catch(({ code }: { code: string }) => code);
    const cancelled = names.slice(0, 20).map(cancel);
    const pings = names.slice(0, 20).map(ping);
    const outcomes = await Promise.all(names.map((name) => outcome(west.node, name)));
    expect(outcomes).toEqual(names.map((name) => [`${ANSWER} ${name}`]));
    for (const name of names) expect(mesh.ran(name)).toBe(1);
    expect(await Promise.all(cancelled)).toEqual(cancelled.map(() => "cancelled"));
    for (const answer of await Promise.all(pings)) if (answer !== "TIMEOUT") expect(answer).toMatchObject({ hops: 2 });
    // How many frames of each kind there are is a matter of time, and of what was lost.
    for (let i = 0; i < 60 && [...left.values()].some(({ length }) => length > 0); i++) {
      const refused = west.node.send("east", "probe:nothing", "").catch(({ code }: { code: string }) => code);
      const [done, ended, why] = await Promise.all([outcome(west.node, `more-${i}`), cancel(`more-${i}`), refused, ping()]);
      expect([done, ended, why]).toEqual([[`${ANSWER} more-${i}`], "cancelled", "UNKNOWN_ACTION"]);
    }
    mallory.pipes.deed = honest;
    expect([...left].filter(([, places]) => places.length > 0)).toEqual([]);
    // Each was refused at the one end or the other, and most of them as it is not what was sealed.
    const reasons = [await mesh.reasons("west"), await mesh.reasons("east")];
    // A session that cannot be read at all is an error of the protocol.
    for (const end of [mesh.west, mesh.east]) reasons.push(await end.labelled("receptor_protocol_errors_total", "code"));
    const bound = turned.filter(({ place }) => !FREE.includes(place)).length;
    expect(sum(reasons.flatMap((each) => Object.values(each)))).toBe(bound);
    for (const each of reasons.slice(0, 2)) expect(each["text"]).toBeGreaterThan(20);
  });
});

describe("a member that carries for two others and says it again", () => {
  it("makes no work run twice: at once, when it has ended, and when its worker has started anew", async () => {
    mesh = await TransitMesh.start();
    const { west, mallory } = mesh;
    mallory.pipes.deed = ({ frame }) => [frame, frame.slice()];
    const names = Array.from({ length: 20 }, (_, i) => `twice-${i}`);
    const works = await Promise.all(
      names.map((name, i) => west.node.send("east", i % 4 === 1 ? "probe:again" : "probe:run", name, { durable: i % 2 === 1 })),
    );
    expect(await Promise.all(works.map((work) => texts(work)))).toEqual(names.map((name) => [`${ANSWER} ${name}`]));
    mallory.pipes.deed = honest;
    mallory.pipes.records = false;
    const all = [...mallory.pipes.passed];
    const ranOnce = async (): Promise<void> => {
      // What was said before it has arrived before it.
      await Promise.all([west.node.ping("east"), mesh.east.node.ping("west")]);
      await until(() => (mesh.east.node.status().work.length === 0 ? true : undefined), SOON, "nothing runs");
      expect(names.map((name) => mesh.ran(name))).toEqual(names.map(() => 1));
    };
    await ranOnce();
    sayAgain(all);
    await ranOnce();
    await mesh.east.close();
    await mesh.node("east", { peers: [mallory.node.listening[0] ?? ""] });
    await mesh.west.node.reachable("east", { timeout: SOON });
    await mesh.east.node.reachable("west", { timeout: SOON });
    sayAgain(all);
    await ranOnce();
    // And an honest work still runs.
    expect(await outcome(west.node, "after")).toEqual([`${ANSWER} after`]);
  });
});

function sayAgain(all: readonly Passing[]): void {
  for (const { next, frame } of all) mesh.mallory.pipes.say(next, frame.slice());
}

describe("a member that carries for two others and changes the order", () => {
  it("changes neither a payload nor a response", async () => {
    mesh = await TransitMesh.start();
    const { west, mallory } = mesh;
    const held = new Map<string, Uint8Array[]>();
    let [bundles, disordered] = [0, 0];
    mallory.pipes.deed = ({ next, frame }) => {
      const waiting = held.get(next);
      if (waiting !== undefined) {
        waiting.push(frame);
        return [];
      }
      held.set(next, [frame]);
      setTimeout(() => {
        const all = held.get(next) ?? [];
        held.delete(next);
        // Else no stream would come forward by more than one chunk at a time.
        const reversed = ++bundles % 3 === 0;
        if (reversed && all.length > 1) disordered++;
        mallory.pipes.say(next, ...(reversed ? all.toReversed() : all));
      }, 2);
      return [];
    };
    const streamed = Buffer.from(Array.from({ length: 1 << 18 }, (_, i) => `${i}`).join("|"));
    const names = Array.from({ length: 20 }, (_, i) => `order-${i}`);
    const [echoed, ...outcomes] = await Promise.all([
      west.node.send("east", "probe:flood", streamed).then((work) => bytesOf(work)),
      ...names.map((name) => outcome(west.node, name)),
    ]);
    expect(echoed?.equals(streamed)).toBe(true);
    expect(outcomes).toEqual(names.map((name) => [`${ANSWER} ${name}`]));
    expect(disordered).toBeGreaterThan(2);
    expect(await mesh.reasons("east")).toEqual({});
  });
});
