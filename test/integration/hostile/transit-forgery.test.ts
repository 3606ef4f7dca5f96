import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Work } from "receptor-mesh";
import type { MessageId } from "../../../src/core/ids.ts";
import { MeshError } from "../../../src/core/errors.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { encode } from "../../../src/wire/codec.ts";
import { FLAG, FRAME, type FrameKind, OFFSET } from "../../../src/wire/frame.ts";
import { encodeMetadata, layMessage } from "../../../src/wire/message.ts";
import { readMessageId } from "../../../src/wire/message-id.ts";
import { encodeError, encodeNotice, encodeReceipt } from "../../../src/wire/outcome.ts";
import { until } from "../../support/mesh.ts";
import { routedFrame } from "./raw-peer.ts";
import { honest } from "./tampering.ts";
import { ANSWER, SOON, texts, TransitMesh } from "./transit-mesh.ts";

const DENIED = new MeshError("DENIED", "says mallory");
const HEADER = routedFrame(FRAME.ack, "a", "b", new Uint8Array(0)).length;

let mesh: TransitMesh;
afterEach(() => mesh.close());

/** The body of a message of `sender` that asks for `probe:run`. */
function message(sender: string, text: string): Uint8Array {
  const metadata = encodeMetadata(nodeId(sender), "probe:run", {});
  return layMessage(metadata, { deadline: undefined, floor: 0, payload: Buffer.from(text) }).subarray(HEADER);
}

/** A piece of a response stream, from its start. */
function chunk(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([new Uint8Array(8), bytes]);
}

/** What mallory says in the name of east to west, whose work has this id. */
function answers(id: MessageId): readonly Uint8Array[] {
  const say = (kind: FrameKind, body: Uint8Array, flags = 0): Uint8Array => routedFrame(kind, "east", "west", body, { id, flags });
  return [
    say(FRAME.receipt, encodeReceipt({ type: "accepted" })),
    say(FRAME.receipt, encodeReceipt({ type: "refused", error: DENIED })),
    say(FRAME.reset, encodeError(DENIED)),
    say(FRAME.notice, encodeNotice({ type: "failed", node: nodeId("east"), error: DENIED })),
    say(FRAME.data, chunk(Buffer.from("a lie")), FLAG.fin | FLAG.accepted),
  ];
}

/** What mallory says in the name of west to east, whose work has this id. */
function orders(id: MessageId): readonly Uint8Array[] {
  const say = (kind: FrameKind, body: Uint8Array, flags = 0): Uint8Array => routedFrame(kind, "west", "east", body, { id, flags });
  return [
    routedFrame(FRAME.message, "west", "east", message("west", "forged"), { auxiliary: mesh.mallory.lifeOf("east") }),
    say(FRAME.reset, encodeError(DENIED), FLAG.upward),
    say(FRAME.attach, encode({ f: 1 })),
    say(FRAME.data, chunk(Buffer.from("a lie")), FLAG.upward | FLAG.fin),
    say(FRAME.confirm, new Uint8Array(0)),
  ];
}

/** A work of west's at east that has begun, and waits. */
async function begun(text: string): Promise<{ readonly work: Work; readonly id: MessageId; readonly rest: Promise<string[]> }> {
  const work = await mesh.west.node.send("east", "probe:wait", text);
  const rest = texts(work);
  await until(() => (mesh.ran(text) === 1 ? true : undefined), SOON, "it runs");
  return { work, id: work.id as MessageId, rest };
}

/** All that mallory has said is taken in. */
async function settled(): Promise<void> {
  await Promise.all([mesh.west.node.ping("east"), mesh.east.node.ping("west")]);
}

describe("a member that carries for two others and speaks in their names", () => {
  beforeEach(async () => {
    mesh = await TransitMesh.start();
  });

  it("is believed neither in plain text nor under sessions of its own, and each is counted", async () => {
    const { mallory } = mesh;
    const { id, rest } = await begun("work");
    const { pipes } = mallory;
    const said = [...answers(id), ...orders(id)];
    const to = (frame: Uint8Array): string => pipes.nameAt(frame, OFFSET.destination) ?? "";
    for (const frame of said) pipes.say(to(frame), frame.slice());
    await settled();
    for (const name of ["west", "east"]) expect(await mesh.reasons(name)).toEqual({ plain: 5 });
    // As itself, in the name that only the header says.
    const own = mallory.sealer();
    for (const frame of said) pipes.say(to(frame), mallory.sealed(frame, own));
    await settled();
    for (const name of ["west", "east"]) expect(await mesh.reasons(name)).toEqual({ plain: 5, sender: 5 });
    // With a session that says that the other has begun it, under the certificate and signature of mallory.
    for (const frame of said) pipes.say(to(frame), mallory.sealed(frame, mallory.sealer(to(frame) === "west" ? "east" : "west")));
    await settled();
    for (const name of ["west", "east"]) expect(await mesh.reasons(name)).toEqual({ plain: 5, sender: 5, node: 5 });
    expect(mesh.runs.map(({ text }) => text)).toEqual(["work"]);
    expect(mesh.aborted).toEqual([]);
    mesh.release();
    expect(await rest).toEqual(["begun", `${ANSWER} work`]);
  });

  it("has no message of its own taken for another's, though its session is its own", async () => {
    const { mallory } = mesh;
    const own = mallory.sealer();
    for (const [sender, text] of [
      ["west", "forged"],
      ["mallory", "honest"],
    ] as const) {
      const frame = routedFrame(FRAME.message, "mallory", "east", message(sender, text), { auxiliary: mallory.lifeOf("east") });
      mallory.pipes.say("east", mallory.sealed(frame, own));
    }
    await until(() => (mesh.runs.length > 0 ? true : undefined), SOON, "the honest one runs");
    expect(mesh.runs.map(({ text }) => text)).toEqual(["honest"]);
    expect(await mesh.east.errors("DENIED")).toBe(1);
  });

  it("does nothing, by ids that it has seen, to the works of others, and what it says in their owners' place is counted", async () => {
    const { mallory } = mesh;
    const { id, rest } = await begun("work");
    await expect(mallory.node.attach(id, { node: "east" })).rejects.toMatchObject({ code: "DENIED" });
    const own = mallory.sealer();
    const say = (to: string, kind: FrameKind, body: Uint8Array, flags = 0): void =>
      mallory.pipes.say(to, mallory.sealed(routedFrame(kind, "mallory", to, body, { id, flags }), own));
    say("east", FRAME.reset, encodeError(DENIED), FLAG.upward);
    say("east", FRAME.data, chunk(Buffer.from("a lie")), FLAG.upward | FLAG.fin);
    say("east", FRAME.message, message("mallory", "the same id"));
    // And as a node on the way it may say that it has lost what east has long accepted.
    say("west", FRAME.receipt, encodeReceipt({ type: "refused", error: DENIED }));
    say("west", FRAME.reset, encodeError(DENIED));
    say("west", FRAME.notice, encodeNotice({ type: "failed", node: nodeId("mallory"), error: DENIED }));
    say("west", FRAME.notice, encodeNotice({ type: "failed", node: nodeId("east"), error: DENIED }));
    say("west", FRAME.data, chunk(Buffer.from("a lie")), FLAG.fin | FLAG.accepted);
    await settled();
    await settled();
    expect(mesh.runs.map(({ text }) => text)).toEqual(["work"]);
    expect(mesh.aborted).toEqual([]);
    // At east to attach, to cancel, the payload, the message; at west the receipt, the reset, the notice of east's and the responses.
    expect([await mesh.east.errors("DENIED"), await mesh.west.errors("DENIED")]).toEqual([4, 4]);
    mesh.release();
    expect(await rest).toEqual(["begun", `${ANSWER} work`]);
    expect([await mesh.east.errors("DENIED"), await mesh.west.errors("DENIED")]).toEqual([4, 4]);
  });

  it("answers no ping in another's place, whatever name it gives", async () => {
    const { mallory, west } = mesh;
    const own = mallory.sealer();
    for (const [name, counted] of [
      ["east", 1],
      ["mallory", 0],
    ] as const) {
      let asked = 0;
      mallory.pipes.deed = ({ kind, source, frame }) => {
        if (kind !== FRAME.echo || source !== "west") return [frame];
        const id = readMessageId(frame, OFFSET.id);
        const body = encode({ n: name, v: "6.6.6", r: 0, q: 0, h: 2 });
        if (++asked === 1) mallory.pipes.say("west", mallory.sealed(routedFrame(FRAME.echoReply, "mallory", "west", body, { id }), own));
        return [];
      };
      const before = await west.errors("DENIED");
      await expect(west.node.ping("east", { timeout: 500 })).rejects.toMatchObject({ code: "TIMEOUT" });
      expect(asked).toBeGreaterThan(0);
      expect((await west.errors("DENIED")) - before).toBe(counted);
    }
    mallory.pipes.deed = honest;
    expect(await west.node.ping("east")).toMatchObject({ hops: 2 });
  });

  it("that takes an id before its owner harms that one message, and none after it", async () => {
    const { mallory, west } = mesh;
    const own = mallory.sealer();
    let stolen: MessageId | undefined;
    mallory.pipes.deed = ({ kind, frame }) => {
      if (kind !== FRAME.message || stolen !== undefined) return [frame];
      const theft = routedFrame(FRAME.message, "mallory", "east", message("mallory", "stolen"), { auxiliary: mallory.lifeOf("east") });
      theft.set(frame.subarray(OFFSET.id, OFFSET.id + 16), OFFSET.id);
      stolen = "" as MessageId;
      return [mallory.sealed(theft, own), frame];
    };
    await expect(west.node.send("east", "probe:run", "robbed").then(texts)).rejects.toMatchObject({ code: "DENIED" });
    mallory.pipes.deed = honest;
    for (const text of ["next", "and next"])
      expect(await texts(await west.node.send("east", "probe:run", text))).toEqual([`${ANSWER} ${text}`]);
    expect(mesh.runs.map(({ text }) => text)).toEqual(["stolen", "next", "and next"]);
  });
});

describe("nodes that do not seal alike", () => {
  it("takes no plain frame of a member where sealing is required, and counts it", async () => {
    mesh = await TransitMesh.start({ west: { e2e: "off" } });
    const { west } = mesh;
    await expect(west.node.ping("east", { timeout: 300 })).rejects.toMatchObject({ code: "TIMEOUT" });
    await expect(west.node.send("east", "probe:run", "plain", { ttl: 300 })).rejects.toMatchObject({ code: "EXPIRED" });
    expect(mesh.runs).toEqual([]);
    const { plain, ...others } = await mesh.reasons("east");
    expect(plain).toBeGreaterThanOrEqual(2);
    expect(others).toEqual({});
  });

  it("works between one that seals nothing and one that prefers to seal", async () => {
    mesh = await TransitMesh.start({ west: { e2e: "off" }, east: { e2e: "preferred" } });
    const { west, east } = mesh;
    expect(await texts(await west.node.send("east", "probe:run", "there"))).toEqual([`${ANSWER} there`]);
    expect(await texts(await east.node.send("west", "probe:run", "and back"))).toEqual([`${ANSWER} and back`]);
    for (const name of ["west", "east"]) expect(await mesh.reasons(name)).toEqual({});
    const { passed } = mesh.mallory.pipes;
    expect(new Set(passed.map(({ source, flags }) => `${source} ${flags & FLAG.sealed}`))).toEqual(
      new Set(["west 0", `east ${FLAG.sealed}`]),
    );
  });
});

/** Sessions that one link may begin, at once and a second, of those that are looked at. */
const [BURST, RATE] = [1_000, 25];

describe("a member that sends frames under sessions that it invents", () => {
  it("makes an honest node look at no more of them than its rate, while that serves others", async () => {
    mesh = await TransitMesh.start({ relay: true });
    const { mallory, east } = mesh;
    const relay = mesh.member("relay");
    const frame = mallory.sealed(routedFrame(FRAME.message, "mallory", "east", message("mallory", "invented")));
    const many = Array.from({ length: 10_000 }, (_, i) => invented(frame, i));
    const began = performance.now();
    const rtts: number[] = [];
    const outcomes: string[] = [];
    for (let at = 0; at < many.length; at += 500) {
      mallory.pipes.say("east", ...many.slice(at, at + 500));
      rtts.push((await relay.node.ping("east")).rtt);
      outcomes.push(...(await texts(await relay.node.send("east", "probe:run", `beside ${at}`))));
    }
    await until(async () => (sumOf(await mesh.reasons("east")) === many.length ? true : undefined), SOON, "all are counted");
    const seconds = (performance.now() - began) / 1_000;
    const { rate = 0, ...looked } = await mesh.reasons("east");
    expect(sumOf(looked)).toBeLessThanOrEqual(BURST + RATE * seconds + 1);
    expect(rate).toBeGreaterThan(many.length / 2);
    expect(Object.keys(looked)).toEqual(["signature"]);
    expect(rtts.toSorted((a, b) => a - b)[Math.floor(rtts.length / 2)]).toBeLessThan(50);
    expect(outcomes).toEqual(many.filter((_, i) => i % 500 === 0).map((_, i) => `${ANSWER} beside ${i * 500}`));
    expect(mesh.ran("invented")).toBe(0);
    expect(
      east.node
        .status()
        .links.map(({ peer }) => peer)
        .toSorted(),
    ).toEqual(["mallory", "relay"]);
  });
});

const sumOf = (reasons: Readonly<Record<string, number>>): number => Object.values(reasons).reduce((all, each) => all + each, 0);

/** The same frame under a session that nobody has begun: its encapsulated key, and the name that this begins with, are others. */
function invented(frame: Uint8Array, number: number): Uint8Array {
  const copy = Buffer.from(frame);
  const name = copy.subarray(HEADER, HEADER + 8);
  const at = copy.indexOf(name, HEADER + 18);
  copy.writeUInt32BE(number, HEADER);
  copy.writeUInt32BE(number, at);
  return new Uint8Array(copy);
}
