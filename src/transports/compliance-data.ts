import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { WRITE_ROOM } from "../core/limits.ts";
import {
  type Cases,
  connectPair,
  openPair,
  quiet,
  Recorder,
  randomChunks,
  type TransportUnderTest,
  within,
  writeAll,
} from "./compliance-kit.ts";

const MiB = 1024 * 1024;

/** Bytes, back-pressure and closing: what a Pipe must do. */
export const DATA_CASES: Cases = {
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

  async "leaves what it sends as it was, and sends the same where it is spent"(subject) {
    const { near, far, atNear, atFar, end } = await openPair(subject);
    const bytes = Uint8Array.from({ length: 2_200_000 }, (_, at) => at % 251);
    const before = bytes.slice();
    for (const [pipe, there] of [
      [near, atFar],
      [far, atNear],
    ] as const) {
      for (const spent of [false, true]) {
        pipe.write(spent ? given(bytes) : bytes, undefined, spent);
        pipe.write(bytes.subarray(0, 100), undefined, false);
      }
      await there.until("all bytes", () => there.received === 4_400_200);
      assert.deepEqual(bytes, before);
    }
    const expected = createHash("sha256");
    for (const part of [bytes, bytes.subarray(0, 100), bytes, bytes.subarray(0, 100)]) expected.update(part);
    const digest = expected.digest("hex");
    assert.deepEqual([atFar.digest(), atNear.digest()], [digest, digest]);
    await end();
  },

  async "keeps chunks apart although all sockets read into one buffer, also where a reader writes to others"(subject) {
    const pairs = await Promise.all(Array.from({ length: 30 }, () => connectPair(subject.transport, subject.url)));
    const ends = pairs.map(({ near, far }, at) => {
      // Each chunk, while it is still being read, goes on to the next pair, as a relay does.
      const next = pairs[at + 1]?.near;
      const atFar = new Recorder((chunk) => next?.write(given(chunk), undefined, true));
      const atNear = new Recorder();
      near.open(atNear);
      far.open(atFar);
      return { near, atNear, atFar };
    });
    const [first, last] = [ends[0], ends.at(-1)];
    assert.ok(first !== undefined && last !== undefined);
    const sent = await writeAll(first.near, first.atNear, randomChunks(5, 300_000, 40_000));
    await last.atFar.until("all bytes", () => last.atFar.received === 300_000);
    assert.equal(last.atFar.digest(), sent);
    for (const { near, far, listener } of pairs) {
      near.close(true);
      far.close(true);
      await listener.close();
    }
  },

  async "runs done once for each write, in order"(subject) {
    const { near, atFar, end } = await openPair(subject);
    const done: number[] = [];
    for (let at = 0; at < 500; at++) near.write(new Uint8Array(at % 3 === 0 ? 0 : at), () => done.push(at));
    assert.equal(done.length, 0, "done never runs inside write");
    const bytes = Array.from({ length: 500 }, (_, at) => (at % 3 === 0 ? 0 : at)).reduce((a, b) => a + b);
    await atFar.until("all bytes", () => atFar.received === bytes);
    await reaches(done, 500);
    assert.deepEqual(
      done,
      Array.from({ length: 500 }, (_, at) => at),
    );
    assert.equal(near.pending, 0);
    await end();
  },

  async "runs done for each write where the pipe breaks off"(subject) {
    const { near, far, end } = await openPair(subject);
    far.pause();
    const done: number[] = [];
    for (let at = 0; at < 64; at++) near.write(new Uint8Array(MiB / 2), () => done.push(at));
    assert.ok(near.pending > 0);
    near.close(true);
    await end();
    await reaches(done, 64);
    await quiet(20);
    assert.equal(done.length, 64);
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

  async "keeps what was written before the close for a reader that is paused"(subject) {
    const { near, far, atFar, end } = await openPair(subject);
    far.pause();
    near.write(new Uint8Array(1000));
    near.close();
    await quiet(50);
    assert.deepEqual([atFar.received, atFar.closes], [0, 0]);
    far.resume();
    await atFar.closed();
    assert.equal(atFar.received, 1000);
    await end();
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

  async "tells who closes of no error although the other end aborts meanwhile"(subject) {
    const { near, far, atNear, end } = await openPair(subject);
    far.pause();
    for (let at = 0; at < 32; at++) near.write(new Uint8Array(MiB));
    near.close();
    far.close(true);
    await atNear.closed();
    assert.equal(atNear.error, undefined);
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
    assert.equal(
      near.write(new Uint8Array(10), () => done++),
      false,
    );
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
};

/** A copy that nobody needs afterwards, nor what is before it. */
function given(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(WRITE_ROOM + bytes.length).subarray(WRITE_ROOM);
  copy.set(bytes);
  return copy;
}

async function reaches(list: readonly unknown[], length: number): Promise<void> {
  const grown = async (): Promise<void> => {
    while (list.length < length) await quiet(1);
  };
  await within(2_000, `${length} calls of done`, grown());
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
