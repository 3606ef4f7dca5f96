import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { encode, type Plain } from "../../../src/wire/codec.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { encodeGoodbye, encodeHello } from "../../../src/wire/greeting.ts";
import { concat } from "../../../src/core/bytes.ts";
import { until } from "../../support/mesh.ts";
import { greetingOf, linkFrame, type RawPeer } from "./raw-peer.ts";
import { Target } from "./target.ts";

let target: Target;

beforeEach(async () => {
  target = await Target.start();
});
afterEach(async () => {
  await target.close();
});

/** One by each listener. */
const strangers = (): Promise<readonly RawPeer[]> => Promise.all(target.urls.map((url) => target.stranger(url)));
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const PREFIX = new TextEncoder().encode("RMSH\u0001\u0000");

/** A hello whose msgpack is `body`. */
function helloOf(body: Uint8Array): Uint8Array {
  return linkFrame(FRAME.hello, concat([PREFIX, body]));
}

function fields(): { [key: string]: Plain } {
  const { versionMajor: _major, versionMinor: _minor, ...rest } = greetingOf("hostile");
  return { ...rest };
}

const MAP_WITH = (key: string): Uint8Array => concat([bytes(0x81, 0xa0 | key.length), new TextEncoder().encode(key), bytes(0x01)]);

/** What a stranger may begin with, and what is counted. It is never answered. */
const SILENCED: Readonly<Record<string, { readonly send: () => Uint8Array; readonly counted: string }>> = {
  "another protocol": { send: () => new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), counted: "TOO_LARGE" },
  "a hello with another magic": {
    send: () => linkFrame(FRAME.hello, concat([new TextEncoder().encode("RMSX\u0001\u0000"), encode(fields())])),
    counted: "PROTOCOL_ERROR",
  },
  "a hello over the limit for strangers": { send: () => linkFrame(FRAME.hello, bytes(1), LIMITS.greetingFrame + 1), counted: "TOO_LARGE" },
  "a message over that limit": { send: () => linkFrame(FRAME.message, bytes(1), LIMITS.greetingFrame + 1), counted: "TOO_LARGE" },
  "a length of 0": { send: () => linkFrame(FRAME.hello, bytes(1), 0), counted: "PROTOCOL_ERROR" },
  "a length of 4 GiB": { send: () => linkFrame(FRAME.hello, bytes(1), 0xffff_ffff), counted: "TOO_LARGE" },
  "a message before the hello": { send: () => linkFrame(FRAME.message, new Uint8Array(64)), counted: "PROTOCOL_ERROR" },
  "a hello that is no msgpack": { send: () => helloOf(bytes(0xc1)), counted: "PROTOCOL_ERROR" },
  "a hello nested too deeply": { send: () => helloOf(bytes(...new Array<number>(64).fill(0x91), 0xc0)), counted: "PROTOCOL_ERROR" },
  "a hello with too many keys": {
    send: () => helloOf(concat([bytes(0xde, 0x08, 0x00), new Uint8Array(3_000)])),
    counted: "PROTOCOL_ERROR",
  },
  "a hello with the key __proto__": { send: () => helloOf(MAP_WITH("__proto__")), counted: "PROTOCOL_ERROR" },
  "a hello with the key constructor": { send: () => helloOf(MAP_WITH("constructor")), counted: "PROTOCOL_ERROR" },
  "a hello of no valid node": { send: () => helloOf(encode({ ...fields(), node: "a b\u0007" })), counted: "PROTOCOL_ERROR" },
};

describe("a node whose peer has not greeted", () => {
  for (const [what, { send, counted }] of Object.entries(SILENCED)) {
    it(`closes at ${what} without a word, counts it, and serves others`, async () => {
      for (const url of target.urls) {
        const before = await target.errors(counted);
        const peer = await target.stranger(url);
        peer.send(send());
        expect(await peer.end()).toBeUndefined();
        expect(await target.errors(counted)).toBe(before + 1);
      }
      await target.serves();
    });
  }

  it("says VERSION_MISMATCH to another major version, so that an honest peer knows what to update", async () => {
    for (const url of target.urls) {
      const peer = await target.stranger(url);
      peer.send(linkFrame(FRAME.hello, encodeHello({ ...greetingOf("hostile"), versionMajor: 9 })));
      expect(await peer.end()).toBe("VERSION_MISMATCH");
    }
    expect(await target.errors("VERSION_MISMATCH")).toBe(target.urls.length);
    await target.serves();
  });

  it("ignores an optional field that it does not know, and says UNSUPPORTED to a critical feature", async () => {
    for (const url of target.urls) {
      const newer = await target.stranger(url);
      newer.send(helloOf(encode({ ...fields(), shoe: { size: 44 } })));
      await newer.hears(FRAME.keepalive);
      const demanding = await target.stranger(url);
      demanding.send(linkFrame(FRAME.hello, encodeHello({ ...greetingOf("demanding"), critical: ["telepathy"] })));
      expect(await demanding.end()).toBe("UNSUPPORTED");
    }
    expect(await target.errors("UNSUPPORTED")).toBe(target.urls.length);
    await target.serves();
  });

  it("closes a greeting that is not whole after 5 seconds, also one that stops after the hello", async () => {
    const began = performance.now();
    const [slow, half] = await Promise.all([strangers(), strangers()]);
    for (const peer of slow) peer.send(linkFrame(FRAME.hello, bytes(0x52), 200));
    for (const [i, peer] of half.entries()) peer.send(linkFrame(FRAME.hello, encodeHello(greetingOf(`half-${i}`))));
    for (const peer of slow) expect(await peer.end()).toBeUndefined();
    const milliseconds = performance.now() - began;
    expect(milliseconds).toBeGreaterThan(4_000);
    expect(milliseconds).toBeLessThan(8_000);
    for (const peer of half) expect(await peer.end()).toBe("SLOW_GREETING");
    expect(await target.errors("SLOW_GREETING")).toBe(2 * target.urls.length);
    await target.serves();
  });

  it("closes a handshake of TLS or WebSocket that is not over after 5 seconds, and counts it", async () => {
    const began = performance.now();
    const slow = await Promise.all(target.urls.slice(1).map((url) => target.stranger(url.replace(/^\w+:/, "tcp:"))));
    for (const peer of slow) peer.send(bytes(0x47));
    for (const peer of slow) expect(await peer.end()).toBeUndefined();
    const milliseconds = performance.now() - began;
    expect(milliseconds).toBeGreaterThan(4_000);
    expect(milliseconds).toBeLessThan(8_000);
    expect(await target.errors("SLOW_GREETING")).toBe(slow.length);
    await target.serves();
  });

  it("takes 8 unauthenticated sockets of one address and 64 in all, a hello without more among them", async () => {
    const open = async (from: string, count: number): Promise<readonly RawPeer[]> => {
      const peers: RawPeer[] = [];
      for (let i = 0; i < count; i++) peers.push(await target.stranger(target.tcp, from));
      return peers;
    };
    const openOf = (peers: readonly RawPeer[]): number => peers.filter(({ closed }) => !closed).length;
    const first = await open("127.0.0.2", 12);
    for (const [i, peer] of first.entries()) if (i < 8) peer.send(linkFrame(FRAME.hello, encodeHello(greetingOf(`half-${i}`))));
    await until(() => (openOf(first) === 8 ? true : undefined), 3_000, "8 of 12 stay");
    const more: RawPeer[] = [];
    for (let address = 3; address < 13; address++) more.push(...(await open(`127.0.0.${address}`, 8)));
    // Who has had its time may have made room for another.
    await until(() => (openOf(first) + openOf(more) === LIMITS.strangers ? true : undefined), 3_000, "64 in all stay");
    for (const peer of [...first, ...more]) peer.close();
    await target.serves();
  });

  it("closes 500 sockets at 1 byte a second within 10 seconds, while an honest node joins within 2", async () => {
    const hello = linkFrame(FRAME.hello, encodeHello(greetingOf("drip")));
    const began = performance.now();
    const peers = await Promise.all(Array.from({ length: 500 }, (_, i) => target.stranger(target.tcp, `127.0.1.${1 + (i % 250)}`)));
    let at = 0;
    const drip = setInterval(() => {
      for (const peer of peers) if (!peer.closed) peer.send(hello.subarray(at, at + 1));
      at++;
    }, 1_000);
    try {
      expect(await target.serves()).toBeLessThan(2_000);
      await Promise.all(peers.map((peer) => peer.end(10_000)));
      expect(performance.now() - began).toBeLessThan(10_000);
    } finally {
      clearInterval(drip);
    }
    await target.serves();
  });

  it("goes on whatever a stranger says of its id: that it is older, or that the node is a duplicate", async () => {
    const named = greetingOf("target");
    const elder = await target.stranger();
    elder.send(linkFrame(FRAME.hello, encodeHello({ ...named, uptime: 1e12 })));
    expect(await elder.end()).toBe("DENIED");
    const liar = await target.stranger();
    liar.send(linkFrame(FRAME.hello, encodeHello(greetingOf("liar"))));
    const reason = new MeshError("DUPLICATE_NODE", "leave", { data: { node: "target", address: "tcp://x:1" } });
    liar.send(linkFrame(FRAME.goodbye, encodeGoodbye(reason)));
    await liar.end();
    await target.serves();
  });

  it("counts a refused connection until it is closed, so that refusals are no way to open many", async () => {
    const hello = linkFrame(FRAME.hello, encodeHello({ ...greetingOf("hostile"), versionMajor: 9 }));
    const sockets: Socket[] = [];
    const { hostname, port } = new URL(target.tcp);
    const open = (): number => process.getActiveResourcesInfo().filter((type) => type === "TCPSocketWrap").length;
    const before = open();
    for (let i = 0; i < 60; i++) {
      // It does not close its end: the node has to, and waits a second for it.
      const socket = connect({ host: hostname, port: Number(port), localAddress: "127.0.3.1", allowHalfOpen: true });
      sockets.push(socket);
      socket.on("error", () => undefined).write(hello);
      await Promise.race([once(socket.resume(), "end"), once(socket, "close")]).catch(() => undefined);
    }
    const closed = sockets.filter(({ destroyed }) => destroyed).length;
    // The node runs in this process: what is over this end's sockets is its own.
    expect(open() - before - (sockets.length - closed)).toBeLessThanOrEqual(LIMITS.strangersPerAddress + 1);
    for (const socket of sockets) socket.destroy();
    await target.serves();
  });
});
