import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { concat } from "../../../src/core/bytes.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { readHead } from "../../../src/wire/advertisement-layout.ts";
import { readBatch } from "../../../src/wire/digest.ts";
import { FRAME, type FrameKind, LINK_HEADER } from "../../../src/wire/frame.ts";
import { encodeHello, encodeKeepalive } from "../../../src/wire/greeting.ts";
import { until } from "../../support/mesh.ts";
import { advertisement, batch } from "./advertise.ts";
import { greetingOf, linkFrame, type RawPeer } from "./raw-peer.ts";
import { Target } from "./target.ts";

let target: Target;

beforeEach(async () => {
  target = await Target.start();
});
afterEach(async () => {
  await target.close();
});

const SOON = 15_000;

/** An advertisement of `node` whose msgpack is `body`. */
function withBody(node: string, body: Uint8Array): Uint8Array {
  const raw = encodeAdvertisement(advertisement(node));
  const plain = encodeAdvertisement(advertisement(node, { version: "" }));
  // The msgpack of the second is {"version": ""}: 10 bytes.
  const head = plain.slice(0, plain.length - 10);
  new DataView(head.buffer).setUint16(head.length - 2, body.length);
  expect(raw.length).toBeGreaterThan(plain.length);
  return concat([head, body]);
}

/** What the node last said of `node` to this peer: its (epoch, sequence). */
function said(peer: RawPeer, node: string): readonly { epoch: number; sequence: number }[] {
  const all: { epoch: number; sequence: number }[] = [];
  const wanted = encodeAdvertisement(advertisement(node)).slice(2, 10);
  for (const { body } of peer.all(FRAME.advertisements)) {
    readBatch(body, (view, start) => {
      const head = readHead(view, start);
      const same = wanted.every((byte, i) => view.getUint8(start + 2 + i) === byte);
      if (same) all.push({ epoch: head.epoch, sequence: head.sequence });
    });
  }
  return all;
}

const filled = (length: number, ...bytes: number[]): Uint8Array => {
  const whole = new Uint8Array(length);
  whole.set(bytes);
  return whole;
};
const key = (name: string): Uint8Array =>
  concat([Uint8Array.of(0x81, 0xa0 | name.length), new TextEncoder().encode(name), Uint8Array.of(1)]);
const overLimit = (kind: FrameKind, limit: number) => (): Uint8Array => linkFrame(kind, new Uint8Array(64), limit + 1);

const CUT: Readonly<Record<string, { readonly send: () => Uint8Array; readonly code: string }>> = {
  "a message over its limit": { send: overLimit(FRAME.message, LIMITS.frame), code: "TOO_LARGE" },
  "a chunk over its limit": { send: overLimit(FRAME.data, LIMITS.frame), code: "TOO_LARGE" },
  "a receipt over its limit": { send: overLimit(FRAME.receipt, LIMITS.controlFrame), code: "TOO_LARGE" },
  "acknowledgements over their limit": { send: overLimit(FRAME.ack, LIMITS.controlFrame), code: "TOO_LARGE" },
  "a frame of unknown kind over its limit": { send: () => linkFrame(200, new Uint8Array(64), 0x7fff_ffff), code: "TOO_LARGE" },
  "a frame shorter than its own header": {
    send: () => linkFrame(FRAME.keepalive, new Uint8Array(8), LINK_HEADER - 1),
    code: "PROTOCOL_ERROR",
  },
  "a routed frame shorter than its header": { send: () => linkFrame(FRAME.message, new Uint8Array(8)), code: "PROTOCOL_ERROR" },
  "a second hello": { send: () => linkFrame(FRAME.hello, encodeHello(greetingOf("hostile"))), code: "PROTOCOL_ERROR" },
  "a keepalive without a time": { send: () => linkFrame(FRAME.keepalive, filled(8, 0xff, 0xff, 0xff)), code: "PROTOCOL_ERROR" },
  "an empty digest": { send: () => linkFrame(FRAME.advertisements, new Uint8Array(0)), code: "PROTOCOL_ERROR" },
  "a pull that is not of its form": { send: () => linkFrame(FRAME.pull, new Uint8Array(4)), code: "PROTOCOL_ERROR" },
  "an advertisement that runs over the end": {
    send: () => linkFrame(FRAME.advertisements, filled(80, 0, 0, 0, 0, 0, 0xff, 0xff)),
    code: "PROTOCOL_ERROR",
  },
  "an advertisement over its limit": {
    send: () => linkFrame(FRAME.advertisements, filled(40_000, 0, 0, 0, 0, 0, (40_000 - 7) >> 8, (40_000 - 7) & 255)),
    code: "TOO_LARGE",
  },
  "an advertisement with the hash of another": {
    send: () => {
      const raw = encodeAdvertisement(advertisement("somebody"));
      raw[2] = (raw[2] ?? 0) ^ 1;
      return batch(raw);
    },
    code: "PROTOCOL_ERROR",
  },
  "an advertisement of itself that is no msgpack": { send: () => batch(withBody("hostile", Uint8Array.of(0xc1))), code: "PROTOCOL_ERROR" },
  "one nested too deeply": {
    send: () => batch(withBody("hostile", filled(100, ...new Array<number>(99).fill(0x91)))),
    code: "PROTOCOL_ERROR",
  },
  "one with too many keys": { send: () => batch(withBody("hostile", filled(5_000, 0xde, 0x08, 0x01))), code: "PROTOCOL_ERROR" },
  "one with the key __proto__": { send: () => batch(withBody("hostile", key("__proto__"))), code: "PROTOCOL_ERROR" },
  "one with the key constructor": { send: () => batch(withBody("hostile", key("constructor"))), code: "PROTOCOL_ERROR" },
  "an advertisement with more links than a node may have": {
    send: () => {
      const raw = encodeAdvertisement(
        advertisement("hostile", { links: Array.from({ length: LIMITS.linksPerNode }, (_, i) => ({ peer: nodeId(`n${i}`), cost: 1 })) }),
      );
      new DataView(raw.buffer).setUint16(45 + "hostile".length, LIMITS.linksPerNode + 1);
      return batch(raw);
    },
    code: "PROTOCOL_ERROR",
  },
};

describe("a node whose neighbour breaks the protocol", () => {
  for (const [what, { send, code }] of Object.entries(CUT)) {
    it(`says goodbye with ${code} at ${what}, counts it, and serves others`, async () => {
      for (const [before, url] of target.urls.entries()) {
        const peer = await target.neighbour(url);
        peer.send(send());
        expect(await peer.end()).toBe(code);
        expect(await target.errors(code)).toBe(before + 1);
      }
      await target.serves();
    });
  }

  it("skips a frame between neighbours of a kind that it does not know", async () => {
    const peer = await target.neighbour();
    peer.send(linkFrame(15, new Uint8Array(1_000)));
    const since = peer.heard.length;
    peer.send(linkFrame(FRAME.keepalive, encodeKeepalive(7)));
    await peer.hears(FRAME.keepalive, since);
    expect(peer.closed).toBe(false);
    await target.serves();
  });
});

describe("a node whose neighbour lies about others", () => {
  it("takes its own name back, above whatever was said in it", async () => {
    const peer = await target.neighbour();
    const boot = "f".repeat(32);
    peer.send(batch(encodeAdvertisement(advertisement("target", { epoch: 7_777, sequence: 5, boot, withdrawn: true }))));
    await until(() => (said(peer, "target").some(({ epoch }) => epoch > 7_777) ? true : undefined), SOON, "the node refutes it");
    await target.serves();
    expect(peer.closed).toBe(false);
  });

  it("answers an advertisement that is replayed with the newer one, not as often as it is sent", async () => {
    for (const url of target.urls) {
      const peer = await target.neighbour(url);
      peer.send(batch(encodeAdvertisement(advertisement("third", { sequence: 9 }))));
      const before = said(peer, "third").length;
      const old = batch(encodeAdvertisement(advertisement("third", { sequence: 3 })));
      for (let i = 0; i < 2_000; i++) peer.send(old);
      await until(() => (said(peer, "third").length > before ? true : undefined), SOON, "it is answered");
      const since = peer.heard.length;
      peer.send(linkFrame(FRAME.keepalive, encodeKeepalive(1)));
      await peer.hears(FRAME.keepalive, since);
      const answers = said(peer, "third").slice(before);
      expect(new Set(answers.map(({ sequence }) => sequence))).toEqual(new Set([9]));
      expect(answers.length).toBeLessThan(1_500);
      peer.close();
      await until(() => (target.node.status().links.length === 0 ? true : undefined), SOON, "its link is gone");
    }
    await target.serves();
  });

  it("counts what comes faster than it takes it, and goes on", async () => {
    const peer = await target.neighbour();
    for (let i = 0; i < 3_000; i++) peer.send(batch(encodeAdvertisement(advertisement(`invented-${i}`))));
    await until(
      async () => ((await target.metric('receptor_advertisements_total{outcome="refused"')) > 0 ? true : undefined),
      SOON,
      "some are refused",
    );
    await target.serves();
  });

  it("shows no node that only one side claims to be linked to", async () => {
    const peer = await target.neighbour();
    peer.send(
      batch(
        encodeAdvertisement(
          advertisement("hostile", {
            links: [
              { peer: nodeId("target"), cost: 0.001 },
              { peer: nodeId("bank"), cost: 0.001 },
            ],
          }),
        ),
        encodeAdvertisement(advertisement("bank")),
      ),
    );
    await target.node.reachable("hostile", { timeout: SOON });
    expect(target.node.status().nodes.find(({ id }) => id === "bank")?.reachable ?? false).toBe(false);
    await target.serves();
  });
});
