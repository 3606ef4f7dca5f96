import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MeshNode } from "receptor-mesh";
import { createNode } from "../../../src/node/create.ts";
import { OldNode, readAdvertisements, readMap, readRecords } from "../../frozen/old-node.ts";
import { readRecordings } from "../../frozen/recordings.ts";
import { until } from "../../support/mesh.ts";

const SOON = 15_000;
const KIND = { hello: 1, keepalive: 2, goodbye: 3, digest: 4, advertisements: 6, message: 16, data: 19 };

const session = readRecordings("session.hex");
const sent = (kind: number): readonly Buffer[] =>
  session.filter(({ name, bytes }) => name.endsWith("-sends") && bytes[4] === kind).map(({ bytes }) => Buffer.from(bytes));
const newer = (name: string): Uint8Array =>
  readRecordings("newer.hex").find((recording) => recording.name === name)?.bytes ?? new Uint8Array();

let target: MeshNode;
let old: OldNode;

beforeEach(async () => {
  target = await createNode({ id: "target", listen: ["tcp://127.0.0.1:0"], plugins: {} });
  old = await OldNode.connect(target.listening[0] ?? "");
});

afterEach(async () => {
  old.close();
  await target.close();
});

describe("a node of version 1.0", () => {
  it("is greeted, taken into the mesh, served and let go by this one", async () => {
    await old.play(session);
    await until(() => (old.closed ? true : undefined), SOON, "the link is closed after the goodbye");

    const hello = old.heard[0]?.bytes ?? Buffer.alloc(0);
    expect([hello.readUInt8(4), hello.toString("latin1", 8, 12), hello.readUInt8(12)]).toEqual([KIND.hello, "RMSH", 1]);
    expect(readMap(hello.subarray(14))).toMatchObject({
      node: "target",
      instance: expect.stringMatching(/^[0-9a-f]{32}$/),
      version: expect.any(String),
      ephemeral: false,
      leaf: false,
      cost: 1,
      capabilities: expect.any(Array),
    });

    const [keepalive] = sent(KIND.keepalive);
    const replies = old.all(KIND.keepalive).filter(({ flags }) => flags === 1);
    expect(replies.map(({ bytes }) => bytes.toString("hex", 8))).toEqual([keepalive?.toString("hex", 8)]);
    expect(old.all(KIND.digest).map(({ bytes }) => [bytes.readUInt8(8), bytes.length])).toEqual([[1, 9 + 24]]);

    const said = old.all(KIND.advertisements).map(({ bytes }) => readAdvertisements(bytes));
    expect(said[0]).toMatchObject({ flags: 5, entries: [{ node: "target", links: [], body: { version: expect.any(String) } }] });
    expect(said.slice(1).flatMap(({ entries }) => entries)).toContainEqual(
      expect.objectContaining({ node: "target", links: [{ peer: "old", cost: 1000 }] }),
    );

    const [message = Buffer.alloc(0)] = sent(KIND.message);
    const chunks = old.all(KIND.data).map(({ bytes }) => bytes);
    for (const chunk of chunks) {
      // Destination and source change places; the id stays; generation 0.
      expect(chunk.toString("hex", 8, 24)).toBe(message.toString("hex", 16, 24) + message.toString("hex", 8, 16));
      expect([chunk.toString("hex", 32, 48), chunk.readUInt32BE(28)]).toEqual([message.toString("hex", 32, 48), 0]);
    }
    // The first one is the receipt.
    expect((chunks[0]?.readUInt8(5) ?? 0) & 4).toBe(4);
    const { responses, end } = readRecords(inOrder(chunks));
    expect(responses.map((response) => JSON.parse(response) as unknown)).toEqual([expect.objectContaining({ node: "target" })]);
    expect(end).toEqual({ s: "succeeded", n: 1, x: null, e: null });
    // It said that it leaves.
    expect(target.status().nodes.map(({ id }) => id)).not.toContain("old");
  });
});

describe("a node of a newer minor version", () => {
  it("is taken in, and what it says in kinds that this one does not know is skipped", async () => {
    old.send(newer("hello"));
    old.send(Buffer.from(sent(KIND.keepalive)[0] ?? []));
    await until(() => old.all(KIND.digest)[0], SOON, "the link comes up");
    for (const frame of [newer("link-kind"), newer("routed-kind"), newer("link-kind")]) old.send(frame);
    // Alive and on the same page: a sign of life is answered behind all that.
    const before = old.all(KIND.keepalive).length;
    old.send(Buffer.from(sent(KIND.keepalive)[0] ?? []));
    await until(() => old.all(KIND.keepalive)[before], SOON, "a sign of life is answered");
    expect(old.closed).toBe(false);
    expect(old.all(KIND.goodbye)).toEqual([]);
  });

  it("has frames of such kinds passed on unchanged, one hop older", async () => {
    const newest = await OldNode.connect(target.listening[0] ?? "");
    try {
      // Stays: without the last frames, by which it takes its leave.
      await old.play(
        session.slice(
          0,
          session.findIndex(({ means }) => means === "message"),
        ),
      );
      await until(() => target.status().nodes.find(({ id, reachable }) => id === "old" && reachable), SOON, "old has a route");
      newest.send(newer("hello"));
      newest.send(Buffer.from(sent(KIND.keepalive)[0] ?? []));
      await until(() => newest.all(KIND.digest)[0], SOON, "the link comes up");
      const frame = Buffer.from(newer("routed-kind"));
      // To the node that the recorded message came from.
      sent(KIND.message)[0]?.copy(frame, 8, 16, 24);
      newest.send(frame);
      const kind = frame.readUInt8(4);
      const { value: heard } = await until(() => old.all(kind)[0], SOON, "it arrives");
      const [hops, without] = [heard.bytes.readUInt8(6), Buffer.from(heard.bytes)];
      without.writeUInt8(0, 6);
      expect([hops, without.toString("hex")]).toEqual([1, frame.toString("hex")]);
    } finally {
      newest.close();
    }
  });
});

/** The stream that chunks carry, each byte at its offset. */
function inOrder(chunks: readonly Buffer[]): Buffer {
  const parts = chunks.map((chunk) => ({ offset: Number(chunk.readBigUInt64BE(48)), bytes: chunk.subarray(56) }));
  const stream = Buffer.alloc(Math.max(...parts.map(({ offset, bytes }) => offset + bytes.length)));
  for (const { offset, bytes } of parts) bytes.copy(stream, offset);
  return stream;
}
