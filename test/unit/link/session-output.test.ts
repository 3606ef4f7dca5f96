import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../src/core/limits.ts";
import { SLAB_BYTES, SlabPool } from "../../../src/link/slab.ts";
import { FLAG, FRAME } from "../../../src/wire/frame.ts";
import { type End, idOf, Pair, routed, seeded, send } from "./support.ts";

const KiB = 1024;

/** A pair that is up, with the way from a to b full. */
function full(slabs = new SlabPool()): Pair {
  const pair = new Pair({ slabs }).start();
  pair.b.port.paused = true;
  pair.a.port.capacity = 0;
  send(pair.a, routed(FRAME.message, 0));
  pair.a.flush(pair.now);
  pair.b.frames.length = 0;
  return pair;
}

function release(pair: Pair): void {
  pair.b.port.paused = false;
  pair.settle();
}

const kinds = (end: End): number[] => end.frames.map((frame) => frame.kind);
/** As `toEqual`, which takes a second for a hundred kilobytes. */
const isSame = (got: Uint8Array | undefined, bytes: Uint8Array): boolean => got !== undefined && Buffer.compare(got, bytes) === 0;
const ids = (end: End): (string | undefined)[] => end.frames.map((frame) => frame.id);

describe("LinkSession output", () => {
  it("sends all frames of one tick in one write, in order, as they were", () => {
    const pair = new Pair().start();
    const before = pair.a.port.writes;
    const sent = [routed(FRAME.data, 1), routed(FRAME.message, 2), routed(FRAME.receipt, 3), routed(FRAME.data, 4, 1_000)];
    for (const bytes of sent) expect(send(pair.a, bytes)).toBe(true);
    pair.settle();
    expect(pair.a.port.writes).toBe(before + 1);
    expect(pair.b.frames.map((frame) => frame.bytes)).toEqual(sent);
  });

  it("hastened after small frames, writes before the end of the tick as often as 12 KiB have gathered", () => {
    const pair = new Pair().start();
    const before = pair.a.port.writes;
    const writes: number[] = [];
    for (let i = 0; i < 72; i++) {
      send(pair.a, routed(FRAME.message, i, 512));
      pair.a.session.hasten(512);
      writes.push(pair.a.port.writes - before);
    }
    expect([writes[22], writes[23], writes[46], writes[47], writes[71]]).toEqual([0, 1, 1, 2, 3]);
    pair.settle();
    expect(ids(pair.b)).toEqual(Array.from({ length: 72 }, (_, i) => idOf(i)));
  });

  it("hastened after a large frame, waits for the next, which shares its write", () => {
    const pair = new Pair().start();
    const before = pair.a.port.writes;
    for (let i = 0; i < 2; i++) {
      send(pair.a, routed(FRAME.data, i, 32 * KiB));
      pair.a.session.hasten(32 * KiB);
    }
    expect(pair.a.port.writes).toBe(before);
    pair.settle();
    expect(pair.a.port.writes).toBe(before + 1);
  });

  it("hastened while the way is full, writes nothing", () => {
    const pair = full();
    const before = pair.a.port.writes;
    for (let i = 1; i < 40; i++) {
      send(pair.a, routed(FRAME.message, i, 512));
      pair.a.session.hasten(512);
    }
    expect(pair.a.port.writes).toBe(before);
    release(pair);
    expect(ids(pair.b)).toHaveLength(40);
  });

  it("copies the frame: its buffer may change at once", () => {
    const pair = new Pair().start();
    const bytes = routed(FRAME.message, 7);
    const before = bytes.slice();
    send(pair.a, bytes);
    bytes.fill(0xff);
    pair.settle();
    expect(pair.b.frames[0]?.bytes).toEqual(before);
  });

  it("does not change what the port has not sent yet", () => {
    const pair = new Pair().start();
    for (let i = 0; i < 20; i++) {
      send(pair.a, routed(FRAME.message, i));
      pair.a.flush(pair.now);
    }
    pair.settle();
    expect(ids(pair.b)).toEqual(Array.from({ length: 20 }, (_, i) => idOf(i)));
  });

  it("writes a slab as soon as it is full, in order", () => {
    const pair = new Pair().start();
    for (let i = 0; i < 100; i++) send(pair.a, routed(FRAME.message, i, 10_000));
    expect(pair.a.port.queue.length).toBe(Math.floor(100 / Math.floor(SLAB_BYTES / 10_000)));
    pair.settle();
    expect(ids(pair.b)).toEqual(Array.from({ length: 100 }, (_, i) => idOf(i)));
  });

  it("gives a port that was full half a slab at a time, so that what is urgent waits for no more", () => {
    const pair = full();
    for (let i = 0; i < 40; i++) send(pair.a, routed(FRAME.message, i, 10_000));
    send(pair.a, routed(FRAME.ack, 99));
    const sizes: number[] = [];
    for (let bytes = pair.a.port.take(); bytes !== undefined; bytes = pair.a.port.take()) {
      sizes.push(bytes.length);
      pair.a.session.drained(pair.now);
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(SLAB_BYTES / 2);
    expect(Math.max(...sizes)).toBeGreaterThan(SLAB_BYTES / 2 - 10_100);
  });

  it("carries the largest control frame", () => {
    const pair = new Pair().start();
    expect(pair.a.session.sendLink(FRAME.advertisements, new Uint8Array(LIMITS.controlFrame - 8).fill(7))).toBe(true);
    pair.settle();
    expect(pair.b.frames.map((frame) => frame.length)).toEqual([LIMITS.controlFrame]);
    expect(() => pair.a.session.sendLink(FRAME.advertisements, new Uint8Array(LIMITS.controlFrame))).toThrow(/over its limit/);
  });

  it("delivers link frames with kind and body, unknown kinds too", () => {
    const pair = new Pair().start();
    pair.a.session.sendLink(FRAME.pull, Uint8Array.of(1, 2, 3));
    pair.a.session.sendLink(13, Uint8Array.of(4));
    pair.settle();
    expect(pair.b.frames.map(({ kind, bytes }) => [kind, ...bytes])).toEqual([
      [FRAME.pull, 1, 2, 3],
      [13, 4],
    ]);
    expect(pair.b.session.state).toBe("up");
  });

  it("sends control before messages before chunks when the port was full", () => {
    const pair = full();
    for (let i = 0; i < 3; i++) {
      send(pair.a, routed(FRAME.data, 100 + i));
      send(pair.a, routed(FRAME.message, 200 + i));
      send(pair.a, routed(FRAME.ack, 300 + i));
      pair.a.session.sendLink(FRAME.digest, new Uint8Array(3));
    }
    expect(pair.b.frames).toEqual([]);
    release(pair);
    const { ack, digest, message, data } = FRAME;
    expect(kinds(pair.b)).toEqual([message, ack, digest, ack, digest, ack, digest, message, message, message, data, data, data]);
  });

  it("lets control overtake what is still waiting, however much that is", () => {
    const pair = full();
    for (let i = 0; i < 200; i++) send(pair.a, routed(FRAME.data, 1, 32 * KiB));
    const write = (): void => {
      pair.b.session.receive(pair.now, pair.a.port.take() ?? new Uint8Array(0));
      pair.a.session.drained(pair.now);
    };
    for (let i = 0; i < 20; i++) write();
    send(pair.a, routed(FRAME.ack, 9));
    write();
    write();
    expect(kinds(pair.b)).toContain(FRAME.ack);
    expect(pair.b.frames.length).toBeLessThan(50);
    release(pair);
    expect(pair.b.frames).toHaveLength(202);
  });

  it("shares between streams by bytes, whatever the size of their chunks", () => {
    const pair = full();
    for (let i = 0; i < 30; i++) send(pair.a, routed(FRAME.data, 1, 32 * KiB));
    for (let i = 0; i < 400; i++) send(pair.a, routed(FRAME.data, 2, 2 * KiB));
    for (let i = 0; i < 60; i++) send(pair.a, routed(FRAME.data, 3, 12 * KiB));
    release(pair);
    const bytes = new Map<string | undefined, number>();
    let total = 0;
    for (const frame of pair.b.frames.slice(1)) {
      bytes.set(frame.id, (bytes.get(frame.id) ?? 0) + frame.length);
      total += frame.length;
      if (total > 1.2 * KiB * KiB) break;
    }
    for (const each of bytes.values()) {
      expect(each).toBeGreaterThan(350 * KiB);
      expect(each).toBeLessThan(470 * KiB);
    }
    expect(bytes.size).toBe(3);
  });

  it("lets a small stream through although a large one came first", () => {
    const pair = full();
    for (let i = 0; i < 100; i++) send(pair.a, routed(FRAME.data, 1, 32 * KiB));
    send(pair.a, routed(FRAME.data, 2, 100));
    release(pair);
    expect(ids(pair.b).indexOf(idOf(2))).toBeLessThan(4);
  });

  it("takes the two directions of one id for two streams", () => {
    const pair = full();
    for (let i = 0; i < 100; i++) send(pair.a, routed(FRAME.data, 1, 32 * KiB));
    send(pair.a, routed(FRAME.data, 1, 100, FLAG.upward));
    release(pair);
    expect(pair.b.frames.findIndex((frame) => frame.length === 100)).toBeLessThan(4);
  });

  it("keeps the order within each stream and each lane, through many blocks", () => {
    const pair = new Pair().start();
    const random = seeded(5);
    pair.a.port.capacity = 20 * KiB;
    const sent = new Map<string, number[]>();
    for (let round = 0; round < 300; round++) {
      pair.b.port.paused = random() < 0.5;
      for (let i = 0; i < 6; i++) {
        const kind = [FRAME.data, FRAME.message, FRAME.ack][Math.floor(random() * 3)] ?? FRAME.data;
        const serial = kind === FRAME.data ? 1 + Math.floor(random() * 4) : 0;
        const length = 64 + Math.floor(random() * 9_000);
        if (!send(pair.a, routed(kind, serial, length))) continue;
        const key = `${kind} ${idOf(serial)}`;
        sent.set(key, [...(sent.get(key) ?? []), length]);
      }
      pair.settle();
    }
    release(pair);
    const got = new Map<string, number[]>();
    for (const frame of pair.b.frames)
      got.set(`${frame.kind} ${frame.id}`, [...(got.get(`${frame.kind} ${frame.id}`) ?? []), frame.length]);
    expect(got).toEqual(sent);
    expect(pair.a.session.queuedBytes).toBe(0);
  });

  it("bounds what waits in bytes, and says what it drops", () => {
    const pair = full();
    let taken = 0;
    for (let i = 0; i < 2_000; i++) if (send(pair.a, routed(FRAME.data, i % 7, 8 * KiB))) taken++;
    expect(pair.a.session.queuedBytes).toBeLessThanOrEqual(LIMITS.linkQueueMax);
    expect(pair.a.session.queuedBytes).toBeGreaterThan(LIMITS.linkQueueMax - 16 * KiB);
    expect(pair.a.dropped).toHaveLength(2_000 - taken);
    expect(pair.a.dropped[0]).toEqual({ kind: FRAME.data, bytes: 8 * KiB });
    expect(send(pair.a, routed(FRAME.ack, 1, 8 * KiB))).toBe(true);
    release(pair);
    expect(pair.b.frames).toHaveLength(taken + 2);
  });

  it("bounds control frames too", () => {
    const pair = full();
    for (let i = 0; i < 2_000; i++) pair.a.session.sendLink(FRAME.advertisements, new Uint8Array(16 * KiB));
    expect(pair.a.session.queuedBytes).toBeLessThanOrEqual(LIMITS.linkQueueMax + LIMITS.linkQueueHigh);
    expect(pair.a.dropped.length).toBeGreaterThan(0);
  });

  it("bounds the memory of what waits, though tiny old frames pin their slabs", () => {
    const slabs = new SlabPool();
    const pair = full(slabs);
    let most = 0;
    for (let i = 0; i < 1_000; i++) {
      send(pair.a, routed(FRAME.data, 1, 64));
      for (let j = 0; j < 8; j++) send(pair.a, routed(FRAME.ack, 2, SLAB_BYTES / 16 - 2));
      pair.a.port.take();
      pair.a.session.drained(pair.now);
      most = Math.max(most, slabs.out);
    }
    expect(pair.a.session.queuedBytes).toBeLessThan(LIMITS.linkQueueHigh);
    expect(most * SLAB_BYTES).toBeGreaterThan(1.5 * LIMITS.linkQueueMax);
    expect(most * SLAB_BYTES).toBeLessThan(2.1 * LIMITS.linkQueueMax);
  });

  it.each([1_020, 10 * KiB, 60 * KiB])("writes a link frame of %i bytes to many links out of one buffer, in its place", (size) => {
    const slabs = new SlabPool();
    const pairs = Array.from({ length: 3 }, () => new Pair({ slabs }).start());
    const body = Uint8Array.from({ length: size }, (_, i) => i % 251);
    for (const { a } of pairs) a.session.sendLink(FRAME.advertisements, body);
    expect(new Set(pairs.map(({ a }) => a.port.queue[0]?.bytes.buffer)).size).toBe(1);
    expect(slabs.out).toBe(0);
    for (const pair of pairs) {
      expect(pair.a.session.queuedBytes).toBe(pair.a.port.pending);
      pair.settle();
      expect(isSame(pair.b.frames[0]?.bytes, body)).toBe(true);
      expect(pair.a.session.queuedBytes).toBe(0);
    }
  });

  it("keeps the order of what it gathers and of what it writes out of a buffer of its own", () => {
    const pair = new Pair().start();
    const body = (fill: number): Uint8Array => new Uint8Array(60 * KiB).fill(fill);
    send(pair.a, routed(FRAME.message, 1));
    pair.a.session.sendLink(FRAME.advertisements, body(7));
    pair.a.session.sendLink(FRAME.digest, body(8));
    send(pair.a, routed(FRAME.message, 2));
    pair.a.session.sendLink(FRAME.digest, new Uint8Array(2 * KiB).fill(9));
    pair.settle();
    expect(kinds(pair.b)).toEqual([FRAME.message, FRAME.advertisements, FRAME.digest, FRAME.message, FRAME.digest]);
    expect(isSame(pair.b.frames[1]?.bytes, body(7))).toBe(true);
    expect(isSame(pair.b.frames[2]?.bytes, body(8))).toBe(true);
    expect(isSame(pair.b.frames[4]?.bytes, new Uint8Array(2 * KiB).fill(9))).toBe(true);
  });

  it("waits with a large link frame where what was gathered before it fills the port", () => {
    const pair = new Pair().start();
    pair.a.port.capacity = 4;
    send(pair.a, routed(FRAME.message, 1, 4 * KiB));
    pair.a.session.sendLink(FRAME.advertisements, new Uint8Array(65_500).fill(7));
    pair.a.flush(pair.now);
    expect(pair.a.port.queue).toHaveLength(1);
    pair.settle();
    expect(isSame(pair.b.frames[1]?.bytes, new Uint8Array(65_500).fill(7))).toBe(true);
  });

  it("takes little memory for the few bytes of a tick that go to each of many links", () => {
    const pair = new Pair().start();
    pair.a.session.sendLink(FRAME.digest, new Uint8Array(100));
    pair.a.flush(pair.now);
    expect(pair.a.port.queue.map(({ bytes }) => bytes.buffer.byteLength)).toEqual([1_024]);
  });

  it("uses a slab on for many small writes, also while earlier ones are with the port", () => {
    const slabs = new SlabPool();
    const pair = new Pair({ slabs }).start();
    for (let i = 0; i < 5_000; i++) {
      send(pair.a, routed(FRAME.message, i, 100));
      pair.a.flush(pair.now);
      if (i > 100) pair.b.session.receive(pair.now, pair.a.port.take() ?? new Uint8Array(0));
      expect(slabs.out).toBeLessThanOrEqual(2);
    }
    pair.settle();
    expect(pair.b.frames).toHaveLength(5_000);
  });

  it("keeps what this tick has gathered when an earlier write leaves", () => {
    const pair = new Pair().start();
    send(pair.a, routed(FRAME.message, 1));
    pair.a.flush(pair.now);
    send(pair.a, routed(FRAME.message, 2));
    pair.b.session.receive(pair.now, pair.a.port.take() ?? new Uint8Array(0));
    pair.settle();
    expect(ids(pair.b)).toEqual([idOf(1), idOf(2)]);
  });

  it("keeps the order when a port is done at once and the engine sends from within onWritable", () => {
    const end = full().a;
    for (let i = 0; i < 40; i++) send(end, routed(FRAME.data, 1, 32 * KiB - i));
    end.port.take();
    const lengths: number[] = [];
    end.port.write = (bytes, done) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      for (let at = 0; at < bytes.length; at += view.getUint32(at)) lengths.push(view.getUint32(at));
      done();
      return true;
    };
    let more = 40;
    end.onWritable = () => {
      while (more < 60) send(end, routed(FRAME.data, 1, 32 * KiB - more++));
    };
    end.session.drained(2_000);
    end.flush(2_000);
    expect(lengths).toEqual(Array.from({ length: 60 }, (_, i) => 32 * KiB - i));
  });

  it("is congested over the high mark, and says once that it is writable, below half of it", () => {
    const pair = full();
    while (pair.a.session.queuedBytes <= LIMITS.linkQueueHigh) {
      expect(pair.a.session.congested).toBe(false);
      send(pair.a, routed(FRAME.data, 1, 32 * KiB));
    }
    expect(pair.a.session.congested).toBe(true);
    expect(pair.a.writable).toBe(0);
    let queuedThen = 0;
    pair.b.onFrame = () => {
      if (pair.a.writable === 0) queuedThen = pair.a.session.queuedBytes;
    };
    release(pair);
    expect(pair.a.writable).toBe(1);
    expect(queuedThen).toBeLessThan(LIMITS.linkQueueHigh);
    expect(pair.a.session.congested).toBe(false);
  });

  it("takes frames again from within onWritable, without loss", () => {
    const pair = full();
    for (let i = 0; i < 40; i++) send(pair.a, routed(FRAME.data, 1, 32 * KiB));
    let more = 0;
    pair.b.onFrame = () => {
      while (!pair.a.session.congested && more < 500) if (send(pair.a, routed(FRAME.data, 2, 32 * KiB))) more++;
    };
    release(pair);
    expect(pair.b.frames).toHaveLength(1 + 40 + 500);
  });

  it("holds no slab when idle, and gives all back when closed", () => {
    const slabs = new SlabPool();
    const pair = full(slabs);
    for (let i = 0; i < 100; i++) send(pair.a, routed(FRAME.data, i, 30 * KiB));
    expect(slabs.out).toBeGreaterThan(10);
    release(pair);
    expect(slabs.out).toBe(0);
    pair.b.port.paused = true;
    for (let i = 0; i < 100; i++) send(pair.a, routed(FRAME.data, i, 30 * KiB));
    pair.a.session.pipeClosed(pair.now);
    while (pair.a.port.take() !== undefined);
    expect(slabs.out).toBe(0);
  });
});

describe("LinkSession input", () => {
  it("pauses the port while anybody asks for it", () => {
    const { a } = new Pair().start();
    a.session.pauseInput();
    a.session.pauseInput();
    a.session.resumeInput();
    expect(a.port.paused).toBe(true);
    a.session.resumeInput();
    expect(a.port.paused).toBe(false);
    a.session.resumeInput();
    a.session.pauseInput();
    expect(a.port.paused).toBe(true);
  });
});
