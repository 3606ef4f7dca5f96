import assert from "node:assert/strict";
import { connectPair, listenFor, quiet, Recorder, randomChunks, rejectsWith, within, writeAll } from "./compliance-kit.ts";
import { silentServer } from "./compliance-silent.ts";
import type { Pipe, Transport } from "./transport.ts";
import type { MeshUrl } from "./url.ts";

const MiB = 1024 * 1024;

export interface TransportUnderTest {
  readonly transport: Transport;
  /** To listen on, with port 0. */
  readonly url: MeshUrl;
  /** The same on IPv6, where the machine has it. */
  readonly url6?: MeshUrl;
  /** The transport has a handshake of its own on top of TCP, so a socket that never answers must time out. Default false. */
  readonly handshake?: boolean;
  /** Frees what `setup` took. */
  close?(): Promise<void>;
}

export interface TransportComplianceOptions {
  /** `test` of vitest, node:test or the like. */
  test(name: string, body: () => Promise<void>): unknown;
  /** Called for each test anew. */
  setup(): TransportUnderTest | Promise<TransportUnderTest>;
}

type Case = (subject: TransportUnderTest) => Promise<void>;

/** What every transport must do, as tests; see Pipe and Transport for the rules. */
export function transportCompliance(options: TransportComplianceOptions): void {
  for (const [name, run] of Object.entries(CASES)) {
    options.test(name, async () => {
      const subject = await options.setup();
      try {
        await run(subject);
      } finally {
        await subject.close?.();
      }
    });
  }
}

const never = (): AbortSignal => new AbortController().signal;

async function openPair(subject: TransportUnderTest, url = subject.url): Promise<{ near: Pipe; far: Pipe; atNear: Recorder; atFar: Recorder; end(): Promise<void> }> {
  const { listener, near, far } = await connectPair(subject.transport, url);
  const [atNear, atFar] = [new Recorder(), new Recorder()];
  near.open(atNear);
  far.open(atFar);
  const end = async (): Promise<void> => {
    near.close(true);
    far.close(true);
    await Promise.all([atNear.closed(), atFar.closed(), listener.close()]);
  };
  return { near, far, atNear, atFar, end };
}

async function exchange(subject: TransportUnderTest, url: MeshUrl): Promise<void> {
  const { near, far, atNear, atFar, end } = await openPair(subject, url);
  near.write(new Uint8Array([1, 2, 3]));
  far.write(new Uint8Array([4, 5]));
  await atFar.until("3 bytes", () => atFar.received === 3);
  await atNear.until("2 bytes", () => atNear.received === 2);
  await end();
}

async function closes(subject: TransportUnderTest, pick: "near" | "far", abort: boolean): Promise<void> {
  const pair = await openPair(subject);
  const closer = pair[pick];
  const [atCloser, atOther] = pick === "near" ? [pair.atNear, pair.atFar] : [pair.atFar, pair.atNear];
  if (!abort) for (const chunk of randomChunks(7, 300_000, 50_000)) closer.write(chunk);
  closer.close(abort);
  closer.close(abort);
  await within(2_500, "both closes", Promise.all([atCloser.closed(), atOther.closed()]));
  await quiet(20);
  assert.deepEqual([atCloser.closes, atOther.closes], [1, 1], "each end hears of the close once");
  assert.equal(atCloser.error, undefined, "who closes is told of no error");
  if (!abort) {
    assert.equal(atOther.error, undefined, "an orderly close is no error");
    assert.equal(atOther.received, 300_000, "what was written before the close arrives");
  }
  await pair.end();
}

const CASES: Readonly<Record<string, Case>> = {
  async "carries 16 MiB each way at once, in order, in chunks of any size"(subject) {
    const { near, far, atNear, atFar, end } = await openPair(subject);
    const total = 16 * MiB;
    const [sentNear, sentFar] = await Promise.all([
      writeAll(near, atNear, randomChunks(1, total, 200_000)),
      writeAll(far, atFar, randomChunks(2, total, 200_000)),
    ]);
    await atFar.until("all bytes", () => atFar.received >= total);
    await atNear.until("all bytes", () => atNear.received >= total);
    assert.equal(atFar.digest(), sentNear);
    assert.equal(atNear.digest(), sentFar);
    await end();
  },

  async "carries a write of 5 MiB"(subject) {
    const { near, atFar, atNear, end } = await openPair(subject);
    const sent = await writeAll(near, atNear, [new Uint8Array(5 * MiB).fill(9)]);
    await atFar.until("all bytes", () => atFar.received >= 5 * MiB);
    assert.equal(atFar.digest(), sent);
    await end();
  },

  async "runs done once for each write, in order"(subject) {
    const { near, atFar, end } = await openPair(subject);
    const done: number[] = [];
    for (let at = 0; at < 500; at++) near.write(new Uint8Array(at % 3 === 0 ? 0 : at), () => done.push(at));
    assert.equal(done.length, 0, "done never runs inside write");
    const bytes = Array.from({ length: 500 }, (_, at) => (at % 3 === 0 ? 0 : at)).reduce((a, b) => a + b);
    await atFar.until("all bytes", () => atFar.received === bytes);
    await within(2_000, "all done", (async () => { while (done.length < 500) await quiet(1); })());
    assert.deepEqual(done, Array.from({ length: 500 }, (_, at) => at));
    assert.equal(near.pending, 0);
    await end();
  },

  async "runs done for each write where the pipe breaks off"(subject) {
    const { near, far, end } = await openPair(subject);
    far.pause();
    let done = 0;
    for (let at = 0; at < 64; at++) near.write(new Uint8Array(MiB / 2), () => done++);
    assert.ok(near.pending > 0);
    near.close(true);
    await end();
    await within(2_000, "all done", (async () => { while (done < 64) await quiet(1); })());
    await quiet(20);
    assert.equal(done, 64);
    assert.equal(near.pending, 0);
  },

  async "lets a reader that pauses hold the writer back, with little pending"(subject) {
    const { near, far, atNear, atFar, end } = await openPair(subject);
    far.pause();
    const [size, count] = [64 * 1024, 512];
    let most = 0;
    let written = 0;
    const chunks = (function* () {
      for (; written < count; written++) {
        most = Math.max(most, near.pending);
        yield new Uint8Array(size).fill(written);
      }
    })();
    const writing = writeAll(near, atNear, chunks);
    for (let before = -1; before !== written; await quiet()) before = written;
    assert.ok(written < count, "the writer is held back");
    assert.equal(atFar.received, 0, "nothing is read while paused");
    assert.ok(most <= 256 * 1024, `${most} bytes pending`);
    far.resume();
    const sent = await writing;
    await atFar.until("all bytes", () => atFar.received === size * count);
    assert.equal(atFar.digest(), sent);
    await end();
  },

  async "delivers nothing between pause and resume, and all of it afterwards"(subject) {
    const { listener, near, far } = await connectPair(subject.transport, subject.url);
    const atNear = new Recorder();
    let paused = false;
    const atFar = new Recorder(() => {
      assert.equal(paused, false, "data while paused");
      paused = true;
      far.pause();
      setTimeout(() => {
        paused = false;
        far.resume();
      }, 1);
    });
    near.open(atNear);
    far.open(atFar);
    const sent = await writeAll(near, atNear, randomChunks(3, 400_000, 20_000));
    await atFar.until("all bytes", () => atFar.received === 400_000);
    assert.equal(atFar.digest(), sent);
    near.close();
    await Promise.all([atNear.closed(), atFar.closed(), listener.close()]);
  },

  async "reads nothing before open, and then all of it, and the close"(subject) {
    const { listener, near, far } = await connectPair(subject.transport, subject.url);
    const [atNear, atFar] = [new Recorder(), new Recorder()];
    near.open(atNear);
    near.write(new Uint8Array(1000));
    near.close();
    await atNear.closed();
    far.open(atFar);
    assert.equal(atFar.received, 0, "open itself delivers nothing");
    await atFar.closed();
    assert.equal(atFar.received, 1000);
    await listener.close();
  },

  "closes for both when the dialling end closes": (subject) => closes(subject, "near", false),
  "closes for both when the listening end closes": (subject) => closes(subject, "far", false),
  "closes for both when the dialling end aborts": (subject) => closes(subject, "near", true),
  "closes for both when the listening end aborts": (subject) => closes(subject, "far", true),

  async "closes within its bound although the other end does not read"(subject) {
    const { near, far, atNear, end } = await openPair(subject);
    far.pause();
    for (let at = 0; at < 32; at++) near.write(new Uint8Array(MiB));
    near.close();
    await within(2_000, "the close", atNear.closed());
    await end();
  },

  async "tells a pipe that closed before it was opened"(subject) {
    const { listener, near, far } = await connectPair(subject.transport, subject.url);
    near.close(true);
    await quiet(20);
    const [atNear, atFar] = [new Recorder(), new Recorder()];
    near.open(atNear);
    far.open(atFar);
    assert.equal(atNear.closes, 0, "open itself does not close");
    await Promise.all([atNear.closed(), atFar.closed(), listener.close()]);
    assert.deepEqual([atNear.closes, atFar.closes], [1, 1]);
  },

  async "takes writes after the close, runs their done, and sends nothing"(subject) {
    const { near, far, atFar, end } = await openPair(subject);
    near.close();
    let done = 0;
    assert.equal(near.write(new Uint8Array(10), () => done++), false);
    await atFar.closed();
    far.write(new Uint8Array(10), () => done++);
    far.pause();
    far.resume();
    await end();
    near.write(new Uint8Array(10), () => done++);
    await quiet(20);
    assert.equal(done, 3);
    assert.equal(atFar.received, 0);
  },

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
