import assert from "node:assert/strict";
import {
  type Cases,
  connectPair,
  listenFor,
  openPair,
  Recorder,
  randomChunks,
  rejectsWith,
  type TransportUnderTest,
  within,
  writeAll,
} from "./compliance-kit.ts";
import { silentServer } from "./compliance-silent.ts";
import type { MeshUrl } from "./url.ts";

/** Dialling and listening: what a Transport must do. */
export const CONNECT_CASES: Cases = {
  async "rejects with CONNECT_FAILED within a second where nothing listens"(subject) {
    const listener = await subject.transport.listen(subject.url, { onPipe: (pipe) => pipe.close(true) });
    await listener.close();
    await within(1_000, "the rejection", rejectsWith("CONNECT_FAILED", subject.transport.dial(listener.url, { signal: never() })));
  },

  async "rejects with ABORTED where the signal has aborted"(subject) {
    const { listener } = await listenFor(subject.transport, subject.url);
    await rejectsWith("ABORTED", subject.transport.dial(listener.url, { signal: AbortSignal.abort() }));
    await listener.close();
  },

  async "rejects with ABORTED when the signal aborts during the dial"(subject) {
    if (subject.handshake !== true) return;
    const silent = await silentServer(subject.url);
    const abort = new AbortController();
    const dialling = subject.transport.dial(silent.url, { signal: abort.signal });
    await within(2_000, "the connection", silent.connected());
    abort.abort();
    await within(1_000, "the rejection", rejectsWith("ABORTED", dialling));
    await within(1_000, "the socket's close", silent.disconnected());
    await silent.close();
  },

  async "rejects with TIMEOUT where the other end accepts and never answers"(subject) {
    if (subject.handshake !== true) return;
    const silent = await silentServer(subject.url);
    await within(1_500, "the rejection", rejectsWith("TIMEOUT", subject.transport.dial(silent.url, { signal: never(), timeout: 200 })));
    await within(1_000, "the socket's close", silent.disconnected());
    await silent.close();
  },

  async "reports the port that it was given for port 0, and refuses that port to a second listener"(subject) {
    const { listener } = await listenFor(subject.transport, subject.url);
    assert.ok(listener.url.port > 0);
    assert.equal(listener.url.host, subject.url.host);
    const error = await rejectsWith("LISTEN_FAILED", subject.transport.listen(listener.url, { onPipe: (pipe) => pipe.close(true) }));
    assert.match(error.message, new RegExp(`port ${listener.url.port} .* is in use`));
    await listener.close();
    const again = await listenFor(subject.transport, listener.url);
    await again.listener.close();
    await again.listener.close();
  },

  async "keeps open pipes when the listener closes"(subject) {
    const { listener, near, far } = await connectPair(subject.transport, subject.url);
    await listener.close();
    const [atNear, atFar] = [new Recorder(), new Recorder()];
    near.open(atNear);
    far.open(atFar);
    near.write(new Uint8Array(10));
    await atFar.until("10 bytes", () => atFar.received === 10);
    near.close();
    await Promise.all([atNear.closed(), atFar.closed()]);
  },

  async "asks admit before a connection is taken"(subject) {
    const asked: string[] = [];
    const { listener, near, far } = await connectPair(subject.transport, subject.url, { admit: (host) => asked.push(host) === 1 });
    assert.equal(asked.length, 1);
    assert.equal(asked[0], far.remoteHost);
    const second = await subject.transport.dial(listener.url, { signal: never() }).catch((error: unknown) => error as Error);
    if (!(second instanceof Error)) {
      const recorder = new Recorder();
      second.open(recorder);
      await recorder.closed();
    }
    assert.equal(asked.length, 2);
    near.close(true);
    far.close(true);
    await listener.close();
  },

  async "serves 100 connections at once, each with its own bytes"(subject) {
    const { listener, next } = await listenFor(subject.transport, subject.url);
    const numbers = Array.from({ length: 100 }, (_, at) => at);
    const echo = numbers.map(async () => {
      const pipe = await next();
      // The chunk is valid only during the call, so what is written must be a copy.
      const recorder = new Recorder((chunk) => pipe.write(chunk.slice()));
      pipe.open(recorder);
      await recorder.closed();
    });
    const call = numbers.map(async (seed) => {
      const pipe = await subject.transport.dial(listener.url, { signal: never() });
      const recorder = new Recorder();
      pipe.open(recorder);
      const sent = await writeAll(pipe, recorder, randomChunks(seed, 60_000, 8_000));
      await recorder.until("the echo", () => recorder.received === 60_000);
      assert.equal(recorder.digest(), sent);
      pipe.close();
      await recorder.closed();
    });
    await Promise.all([...echo, ...call]);
    await listener.close();
  },

  "exchanges bytes": (subject) => exchange(subject, subject.url),

  async "exchanges bytes over IPv6"(subject) {
    if (subject.url6 !== undefined) await exchange(subject, subject.url6);
  },
};

const never = (): AbortSignal => new AbortController().signal;

async function exchange(subject: TransportUnderTest, url: MeshUrl): Promise<void> {
  const { near, far, atNear, atFar, end } = await openPair(subject, url);
  near.write(new Uint8Array([1, 2, 3]));
  far.write(new Uint8Array([4, 5]));
  await atFar.until("3 bytes", () => atFar.received === 3);
  await atNear.until("2 bytes", () => atNear.received === 2);
  await end();
}
