import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { connectPair, listenFor, quiet, Recorder, randomChunks, writeAll } from "../../../src/transports/compliance-kit.ts";
import { TlsSettings } from "../../../src/transports/tls-settings.ts";
import type { Pipe } from "../../../src/transports/transport.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";
import { WsTransport } from "../../../src/transports/ws.ts";
import { TestAuthority } from "../../support/certificates.ts";

const url = parseMeshUrl("ws://127.0.0.1:0");
const signal = new AbortController().signal;
const plain = new WsTransport(new TlsSettings({}));

describe("what comes with the handshake", () => {
  test("reaches who dialled, also where it comes with the answer, and its end later", async () => {
    const server = createServer((socket) => socket.once("data", (bytes) => answer(socket, bytes))).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const pipe = await plain.dial({ ...url, port }, { signal });
    const recorder = new Recorder();
    pipe.open(recorder);
    await recorder.until("all bytes", () => recorder.received === 305);
    expect(recorder.digest()).toBe(digestOf(Buffer.concat([Buffer.alloc(5, 1), Buffer.alloc(300, 2)])));
    pipe.close(true);
    server.close();

    function answer(socket: Socket, bytes: Buffer): void {
      const key = /^Sec-WebSocket-Key: (.+)\r$/im.exec(bytes.toString())?.[1] ?? "";
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
      const frames = Buffer.concat([message(Buffer.alloc(5, 1)), message(Buffer.alloc(300, 2))]);
      socket.write(Buffer.concat([Buffer.from(head), frames.subarray(0, 100)]));
      setTimeout(() => socket.write(frames.subarray(100)), 20);
    }
  });

  test("reaches who listens, also where it comes with the request, and its end later", async () => {
    const { listener, next } = await listenFor(plain, url);
    const socket = connect(listener.url.port, "127.0.0.1");
    const frames = Buffer.concat([message(Buffer.alloc(5, 1), true), message(Buffer.alloc(300, 2), true)]);
    socket.write(Buffer.concat([request(), frames.subarray(0, 100)]));
    const recorder = new Recorder();
    const pipe = await next();
    pipe.open(recorder);
    await recorder.until("the first message", () => recorder.received === 5);
    socket.write(frames.subarray(100));
    await recorder.until("all bytes", () => recorder.received === 305);
    expect(recorder.digest()).toBe(digestOf(Buffer.concat([Buffer.alloc(5, 1), Buffer.alloc(300, 2)])));
    socket.destroy();
    await recorder.closed();
    await listener.close();
  });

  test("is refused where the handshake is none, and the connection ends", async () => {
    const { listener } = await listenFor(plain, url);
    const socket = connect(listener.url.port, "127.0.0.1");
    socket.write(request().toString().replace("Sec-WebSocket-Key", "X-Other"));
    let answered = "";
    socket.on("data", (bytes: Buffer) => (answered += bytes.toString()));
    await once(socket, "close");
    expect(answered).toMatch(/^HTTP\/1\.1 400 /);
    await listener.close();
  });
});

describe("messages that no node sends", () => {
  test("in several frames, with pings between, arrive whole while other links read into the same buffer", async () => {
    const { listener, next } = await listenFor(plain, url);
    const client = new WebSocket(`ws://127.0.0.1:${listener.url.port}`);
    await once(client, "open");
    const pongs: string[] = [];
    client.on("pong", (data) => pongs.push(data.toString()));
    const recorder = new Recorder();
    const far = await next();
    far.open(recorder);
    const noise = await connectPair(plain, url);
    const noisy = new Recorder();
    noise.near.open(new Recorder());
    noise.far.open(noisy);
    const sent = Buffer.concat(Array.from({ length: 40 }, (_, at) => Buffer.alloc(at * 11, at)));
    for (let at = 0, fill = 0; at < sent.length; fill++) {
      const end = Math.min(sent.length, at + 211);
      client.send(sent.subarray(at, end), { fin: end === sent.length || fill % 5 === 4 });
      client.ping(`ping ${fill}`);
      at = end;
      const before = noisy.received;
      noise.near.write(new Uint8Array(50_000).fill(0xee));
      await noisy.until("noise", () => noisy.received === before + 50_000);
    }
    await recorder.until("all bytes", () => recorder.received === sent.length);
    expect(recorder.digest()).toBe(digestOf(sent));
    await expect.poll(() => pongs).toEqual(Array.from({ length: Math.ceil(sent.length / 211) }, (_, at) => `ping ${at}`));
    client.terminate();
    for (const pipe of [noise.near, noise.far]) pipe.close(true);
    await recorder.closed();
    await Promise.all([listener.close(), noise.listener.close()]);
  });

  test.each([
    ["without a mask", () => message(Buffer.alloc(10))],
    ["with bits that mean nothing", () => Buffer.concat([Buffer.from([0xb2]), message(Buffer.alloc(10), true).subarray(1)])],
    ["of a length that nothing has", () => Buffer.from([0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255])],
  ])("%s, close the pipe at once", async (_, bad) => {
    const { listener, next } = await listenFor(plain, url);
    const socket = connect(listener.url.port, "127.0.0.1").on("error", () => undefined);
    socket.write(request());
    const recorder = new Recorder();
    (await next()).open(recorder);
    socket.resume().write(Buffer.concat([message(Buffer.alloc(7), true), bad()]));
    await recorder.closed();
    expect([recorder.received, recorder.error?.code]).toEqual([7, expect.stringMatching(/^(PROTOCOL_ERROR|TOO_LARGE)$/)]);
    socket.destroy();
    await listener.close();
  });
});

test.each(["ws", "wss"])("reads into buffers that are used again at both ends on this version of Node (%s)", async (scheme) => {
  const authority = await TestAuthority.create();
  const secure = new WsTransport(new TlsSettings({ ...(await authority.issue("node")), ca: authority.ca }));
  const { listener, near, far } = await connectPair(scheme === "ws" ? plain : secure, parseMeshUrl(`${scheme}://127.0.0.1:0`));
  const chunks = new Map<Pipe, number>([
    [near, 0],
    [far, 0],
  ]);
  const buffers = new Set<ArrayBufferLike>();
  const watch = (pipe: Pipe): Recorder =>
    new Recorder((chunk) => {
      buffers.add(chunk.buffer);
      chunks.set(pipe, (chunks.get(pipe) ?? 0) + 1);
    });
  const [atNear, atFar] = [watch(near), watch(far)];
  near.open(atNear);
  far.open(atFar);
  await writeAll(near, atNear, randomChunks(1, 4_000_000, 66_000));
  await writeAll(far, atFar, randomChunks(2, 4_000_000, 66_000));
  await atFar.until("all bytes", () => atFar.received === 4_000_000);
  await atNear.until("all bytes", () => atNear.received === 4_000_000);
  expect(Math.min(...chunks.values())).toBeGreaterThan(100);
  // The one that all sockets share, and one for each end that waits for the rest of a message.
  expect(buffers.size).toBeLessThanOrEqual(3);
  for (const pipe of [near, far]) pipe.close(true);
  await listener.close();
  await quiet(1);
});

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function request(): Buffer {
  const key = randomBytes(16).toString("base64");
  return Buffer.from(
    `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
}

/** A binary message of at most 65,535 bytes; a mask is all zeros. */
function message(bytes: Uint8Array, masked = false): Buffer {
  const head = Buffer.from(bytes.length > 125 ? [0x82, 126, bytes.length >> 8, bytes.length & 255] : [0x82, bytes.length]);
  if (masked) head[1] = (head[1] ?? 0) | 0x80;
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), bytes]);
}
