import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { concat } from "../../../src/core/bytes.ts";
import { type MessageId, nodeId } from "../../../src/core/ids.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { type Acknowledgement, decodeAcknowledgements, encodeAcknowledgements, writeOffset } from "../../../src/wire/acknowledgement.ts";
import { encode } from "../../../src/wire/codec.ts";
import { FLAG, FRAME, type FrameKind, OFFSET, ROUTED_HEADER } from "../../../src/wire/frame.ts";
import { encodeKeepalive } from "../../../src/wire/greeting.ts";
import { encodeMetadata, layMessage } from "../../../src/wire/message.ts";
import { readMessageId } from "../../../src/wire/message-id.ts";
import { decodeReceipt, type Receipt } from "../../../src/wire/outcome.ts";
import { RecordReader } from "../../../src/wire/record.ts";
import { until } from "../../support/mesh.ts";
import { linkFrame, newId, type RawPeer, routedFrame } from "./raw-peer.ts";
import { Target } from "./target.ts";

const SOON = 15_000;

let target: Target;
let peer: RawPeer;

beforeEach(async () => {
  target = await Target.start();
  peer = await target.neighbour();
  await target.node.reachable("hostile", { timeout: SOON });
});
afterEach(async () => {
  await target.close();
});

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const bodyOf = (frame: Uint8Array): Uint8Array => frame.subarray(ROUTED_HEADER);

/** The body of a message whose metadata are these bytes. */
function messageOf(metadata: Uint8Array, payload = new Uint8Array(0)): Uint8Array {
  return bodyOf(layMessage(metadata, { deadline: undefined, floor: 0, payload }));
}

const honest = (directive: string, payload?: string): Uint8Array =>
  messageOf(encodeMetadata(nodeId("hostile"), directive, {}), new TextEncoder().encode(payload ?? ""));

function send(kind: FrameKind, body: Uint8Array, facts: { readonly id?: MessageId; readonly flags?: number } = {}): MessageId {
  const id = facts.id ?? newId();
  peer.send(routedFrame(kind, "hostile", "target", body, { ...facts, id }));
  return id;
}

/** The neighbour comes anew, by another listener. */
async function joinBy(url: string): Promise<void> {
  peer.close();
  await until(() => (target.node.status().links.length === 0 ? true : undefined), SOON, "its link is gone");
  peer = await target.neighbour(url);
  await target.node.reachable("hostile", { timeout: SOON });
}

/** The receipts for this message so far. */
function receipts(id: MessageId): readonly Receipt[] {
  return peer
    .all(FRAME.receipt)
    .filter(({ frame }) => readMessageId(frame, OFFSET.id) === id)
    .map(({ frame }) => decodeReceipt(bodyOf(frame)));
}

async function receipt(id: MessageId): Promise<Receipt> {
  return (await until(() => receipts(id)[0], SOON, "a receipt arrives")).value;
}

function acks(id: MessageId): readonly Acknowledgement[] {
  const all: Acknowledgement[] = [];
  for (const { frame } of peer.all(FRAME.ack)) decodeAcknowledgements(frame, 0, frame.length, (ack) => ack.id === id && all.push(ack));
  return all;
}

function chunk(offset: number, payload: Uint8Array): Uint8Array {
  const head = new Uint8Array(8);
  writeOffset(new DataView(head.buffer), 0, offset);
  return concat([head, payload]);
}

/** Everything that was sent before has been handled, and its answers are here. */
async function settled(): Promise<void> {
  for (let round = 0; round < 2; round++) {
    const since = peer.heard.length;
    peer.send(linkFrame(FRAME.keepalive, encodeKeepalive(round)));
    await peer.hears(FRAME.keepalive, since);
  }
}

const key = (name: string): Uint8Array => concat([bytes(0x81, 0xa0 | name.length), new TextEncoder().encode(name), bytes(1)]);

/** Bytes that no map may be made of. */
const UNREADABLE: Readonly<Record<string, Uint8Array>> = {
  "no msgpack": bytes(0xc1),
  "something nested too deeply": bytes(...new Array<number>(200).fill(0x91)),
  "too many keys": concat([bytes(0xde, 0x08, 0x01), new Uint8Array(4_000)]),
  "an array of 4 billion": bytes(0xdd, 0xff, 0xff, 0xff, 0xff),
  "the key __proto__": key("__proto__"),
  "the key constructor": key("constructor"),
  "a number": bytes(7),
  "the fields of something else": encode({ t: 3, n: ["x"], e: { c: 1 } }),
};
const DECODED: readonly FrameKind[] = [FRAME.receipt, FRAME.notice, FRAME.reset, FRAME.echoReply];

describe("a node that gets routed frames with bodies that are wrong", () => {
  for (const [what, body] of Object.entries(UNREADABLE)) {
    it(`refuses a message of ${what}, drops receipts, notices, resets and replies of it, counts each, and serves others`, async () => {
      for (const [before, url] of target.urls.entries()) {
        await joinBy(url);
        const answer = await receipt(send(FRAME.message, messageOf(body)));
        expect(answer).toMatchObject({ type: "refused", error: { code: "PROTOCOL_ERROR" } });
        for (const kind of DECODED) send(kind, body);
        await settled();
        expect(await target.errors("PROTOCOL_ERROR")).toBe((1 + before) * (1 + DECODED.length));
        expect(peer.closed).toBe(false);
      }
      await target.serves();
    });
  }

  it("refuses a message without the sender's name, with a cut or oversized fixed part, and with a directive of 10 KB", async () => {
    const wrong: readonly (readonly [Uint8Array, string])[] = [
      [messageOf(encode({ d: "echo:run" })), "PROTOCOL_ERROR"],
      [messageOf(encode({ s: "hostile" })), "PROTOCOL_ERROR"],
      [messageOf(encode({ s: "hostile", d: "x".repeat(300) })), "PROTOCOL_ERROR"],
      [messageOf(encode({ s: "hostile", d: "x".repeat(10_000) })), "TOO_LARGE"],
      [messageOf(encode({ s: "hostile", d: "echo:run", h: { deep: { er: 1 } } })), "PROTOCOL_ERROR"],
      [bytes(0, 0, 0, 0), "PROTOCOL_ERROR"],
      [bytes(0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x00, 1, 2, 3), "PROTOCOL_ERROR"],
    ];
    for (const [body, code] of wrong) expect(await receipt(send(FRAME.message, body))).toMatchObject({ type: "refused", error: { code } });
    expect(target.node.status().work).toEqual([]);
    await target.serves();
  });

  it("ignores a field that it does not know, and refuses with UNSUPPORTED one that must be known", async () => {
    const withField = (name: string): Uint8Array => messageOf(encode({ s: "hostile", d: "echo:run", [name]: { any: "thing" } }));
    for (const url of target.urls) {
      await joinBy(url);
      const critical = await receipt(send(FRAME.message, withField("!seal")));
      expect(critical).toMatchObject({ type: "refused", error: { code: "UNSUPPORTED" } });
      const id = send(FRAME.message, withField("shoe"));
      await peer.hears(FRAME.data);
      expect(receipts(id)).toEqual([]);
    }
    await target.serves();
  });

  it("answers DENIED to 1,000 messages in somebody else's name, runs none of them, and keeps nothing", async () => {
    const spoofed = messageOf(encodeMetadata(nodeId("honest"), "echo:run", {}));
    for (const [before, url] of target.urls.entries()) {
      await joinBy(url);
      const ids = Array.from({ length: 1_000 }, () => send(FRAME.message, spoofed));
      await until(() => (peer.all(FRAME.receipt).length >= ids.length ? true : undefined), SOON, "each is answered");
      for (const id of ids) expect(receipts(id)).toMatchObject([{ type: "refused", error: { code: "DENIED" } }]);
      expect(peer.all(FRAME.data)).toEqual([]);
      expect(await target.errors("DENIED")).toBe(1_000 * (before + 1));
    }
    expect(await target.metric("receptor_streams")).toBe(0);
    await target.serves();
  });

  it("runs nothing that comes from outside in its own name", async () => {
    const own = messageOf(encodeMetadata(nodeId("target"), "echo:run", {}));
    for (let i = 0; i < 50; i++) peer.send(routedFrame(FRAME.message, "target", "target", own));
    await until(async () => ((await target.errors("DENIED")) === 50 ? true : undefined), SOON, "each is counted");
    expect(await target.metric('receptor_messages_total{outcome="accepted"')).toBe(0);
    await target.serves();
  });

  it("skips routed frames of a kind that it does not know", async () => {
    peer.send(routedFrame(99 as FrameKind, "hostile", "target", new Uint8Array(1_000)));
    await settled();
    expect(peer.closed).toBe(false);
    await target.serves();
  });

  it("does not answer itself where a frame claims to be its own", async () => {
    for (const kind of [FRAME.message, FRAME.echo, FRAME.echoReply, FRAME.attach, FRAME.ack, FRAME.reset, FRAME.data]) {
      for (let i = 0; i < 50; i++) peer.send(routedFrame(kind, "target", "target", new Uint8Array(64)));
    }
    await settled();
    const before = await target.metric('receptor_frames_total{flow="in"');
    await settled();
    expect(await target.metric('receptor_frames_total{flow="in"')).toBe(before);
    await target.serves();
  });
});

const ACK: Omit<Acknowledgement, "id"> = {
  upward: false,
  gap: false,
  probed: false,
  done: false,
  detached: false,
  generation: 0,
  offset: 0,
  window: LIMITS.credit,
};

describe("a node whose peer does not keep to the rules of streams", () => {
  it("sends at most one reset for each work that is acknowledged and unknown, and then is silent", async () => {
    const entries = Array.from({ length: 1_000 }, () => ({ ...ACK, id: newId(), gap: true, probed: true }));
    send(FRAME.ack, bodyOf(encodeAcknowledgements(entries)));
    await settled();
    const first = peer.all(FRAME.reset).length;
    expect(first).toBeLessThanOrEqual(entries.length);
    await settled();
    expect(peer.all(FRAME.reset).length).toBe(first);
    expect(peer.heard.filter(({ kind }) => kind >= 16 && kind !== FRAME.reset)).toEqual([]);
    await target.serves();
  });

  it("answers chunks of unknown works and streams, one answer each", async () => {
    for (let i = 0; i < 500; i++) send(FRAME.data, chunk(1_000_000, new Uint8Array(100)), { flags: FLAG.upward | FLAG.fin });
    for (let i = 0; i < 500; i++) send(FRAME.data, chunk(Number.MAX_SAFE_INTEGER, new Uint8Array(100)), { flags: FLAG.probe });
    send(FRAME.data, bytes(1));
    await settled();
    let told = peer.all(FRAME.reset).length;
    for (const { frame } of peer.all(FRAME.ack)) decodeAcknowledgements(frame, 0, frame.length, () => told++);
    expect(told).toBeLessThanOrEqual(1_000);
    await target.serves();
  });

  it("ignores acknowledgements beyond what it sent, and goes on with the stream", async () => {
    const id = send(FRAME.message, honest("echo:source", JSON.stringify({ bytes: 1_000_000 })));
    await until(() => (peer.all(FRAME.data).length >= 8 ? true : undefined), SOON, "the credit is used up");
    for (const wrong of [{ offset: 1e12 }, { offset: 0xffff_ffff, done: true }, { done: true }, { generation: 7, offset: 100 }]) {
      send(FRAME.ack, bodyOf(encodeAcknowledgements([{ ...ACK, id, ...wrong }])));
    }
    await settled();
    const records = new RecordReader();
    let [received, handled, ended] = [0, 0, false];
    const take = (): true | undefined => {
      for (; handled < peer.heard.length; handled++) {
        const heard = peer.heard[handled];
        if (heard?.kind !== FRAME.data) continue;
        const part = heard.frame.subarray(ROUTED_HEADER + 8);
        const view = new DataView(heard.frame.buffer);
        expect(view.getUint32(ROUTED_HEADER) * 2 ** 32 + view.getUint32(ROUTED_HEADER + 4)).toBe(received);
        received += part.length;
        records.push(part, (record) => (ended ||= record.type === "end"));
      }
      send(FRAME.ack, bodyOf(encodeAcknowledgements([{ ...ACK, id, offset: received, done: ended }])));
      return ended ? true : undefined;
    };
    await until(take, SOON, "the stream ends");
    expect(received).toBeGreaterThan(1_000_000);
    await target.serves();
  });

  it("takes no more of a payload than its credit where nobody reads it", async () => {
    const id = send(FRAME.message, honest("echo:sink"), { flags: FLAG.streamed | FLAG.hold });
    expect(await receipt(id)).toEqual({ type: "accepted" });
    const part = new Uint8Array(LIMITS.chunk);
    for (let offset = 0; offset < 64 * LIMITS.credit; offset += part.length)
      send(FRAME.data, chunk(offset, part), { id, flags: FLAG.upward });
    send(FRAME.data, chunk(0, new Uint8Array(0)), { id, flags: FLAG.upward | FLAG.probe });
    await until(() => (acks(id).some(({ probed }) => probed) ? true : undefined), SOON, "the probe is answered");
    for (const { offset, window } of acks(id)) expect(offset + window).toBeLessThanOrEqual(LIMITS.credit);
    expect(acks(id).at(-1)).toMatchObject({ offset: LIMITS.credit, window: 0 });
    await target.serves();
  });

  it("refuses a request to attach that it cannot read, and keeps the work for its sender", async () => {
    const id = send(FRAME.message, honest("echo:run", "mine"));
    await peer.hears(FRAME.data);
    for (const body of Object.values(UNREADABLE)) send(FRAME.attach, body, { id });
    await settled();
    expect(await target.errors("PROTOCOL_ERROR")).toBe(Object.keys(UNREADABLE).length);
    send(FRAME.attach, encode({ f: 1 }), { id });
    expect(await receipt(id)).toMatchObject({ type: "attached", serial: 1 });
    await target.serves();
  });
});
