import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MessageId } from "../../../src/core/ids.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { StreamReceiver } from "../../../src/delivery/streams/stream-receiver.ts";
import { CHUNK_AT, Frames } from "../../../src/delivery/frames.ts";
import { type Chunk, HEAD_ROOM, Nursery, StreamSender } from "../../../src/delivery/streams/stream-sender.ts";

const PATTERN = Buffer.from(Array.from({ length: 2_000_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
const pattern = (length: number, from = 0): Uint8Array => PATTERN.subarray(from, from + length);
const same = (bytes: Uint8Array, from: number): boolean => PATTERN.compare(bytes, 0, bytes.length, from, from + bytes.length) === 0;

/** As who sends it, writes to the room before a chunk that has some. */
function bytesOf(chunk: Chunk): Uint8Array {
  if (chunk.roomy) chunk.bytes.fill(0xee, chunk.from - HEAD_ROOM, chunk.from);
  return chunk.bytes.slice(chunk.from, chunk.to);
}

/** Everything that may be sent now. */
function takeAll(sender: StreamSender): Chunk[] {
  const chunks: Chunk[] = [];
  for (let chunk = sender.take(); chunk !== undefined; chunk = sender.take()) chunks.push(chunk);
  return chunks;
}

interface Ack {
  readonly offset: number;
  readonly window: number;
  readonly done: boolean;
  readonly gap: boolean;
  readonly probed: boolean;
}

function ackOf(receiver: StreamReceiver, probed = false): Ack {
  const ack = { offset: receiver.offset, window: receiver.window, done: receiver.done, gap: receiver.gap, probed };
  receiver.acknowledged();
  return ack;
}

function take(sender: StreamSender, ack: Ack): void {
  if (!sender.acknowledge(ack.offset, ack.window, ack.done)) return;
  if (ack.probed) sender.goBack();
  else if (ack.gap) sender.missing(ack.offset);
}

describe("StreamSender and StreamReceiver", () => {
  it("takes memory in proportion to what is written, and never a stranger's", () => {
    const nursery = new Nursery();
    const senders = [1, 2, 3].map((mark) => ({ mark, sender: new StreamSender(LIMITS.retainedPerWork, nursery) }));
    for (let record = 0; record < 10; record++)
      for (const { mark, sender } of senders) sender.write(new Uint8Array(8).fill(mark), new Uint8Array(100).fill(mark), record + 1);
    for (const { mark, sender } of senders) {
      const buffers = new Set<Uint8Array>();
      const bytes: number[] = [];
      for (let chunk = sender.take(); chunk !== undefined; chunk = sender.take()) {
        if (chunk.bytes !== nursery.bytes) buffers.add(chunk.bytes);
        // A header is written there.
        if (chunk.roomy) chunk.bytes.fill(0xee, chunk.from - HEAD_ROOM, chunk.from);
        else expect(chunk.bytes).not.toBe(nursery.bytes);
        bytes.push(...chunk.bytes.subarray(chunk.from, chunk.to));
      }
      expect(bytes).toEqual(new Array<number>(1080).fill(mark));
      expect([...buffers].reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(4 * 1080);
    }
  });

  it("send the same frames, however often, with room before a chunk and without", () => {
    const sent: Uint8Array[] = [];
    const port = { transmit: (frame: Uint8Array, start: number, end: number) => sent.push(frame.slice(start, end)) > 0 };
    const frames = new Frames({ high: 1, low: 2 }, port as unknown as ConstructorParameters<typeof Frames>[1]);
    const sender = new StreamSender(LIMITS.retainedPerWork);
    const chunks: Chunk[] = [];
    for (let at = 0; at < LIMITS.credit; at += LIMITS.chunk / 2) {
      sender.write(pattern(LIMITS.chunk / 2, at));
      chunks.push(...takeAll(sender));
    }
    sender.goBack();
    chunks.push(...takeAll(sender));
    expect(new Set(chunks.map(({ roomy }) => roomy))).toEqual(new Set([true, false]));
    const id = "01234567-89ab-8def-8123-456789abcdef" as MessageId;
    for (const chunk of chunks) {
      const alone = { ...chunk, bytes: chunk.bytes.slice(chunk.from, chunk.to), from: 0, to: chunk.to - chunk.from, roomy: false };
      for (const each of [chunk, alone]) frames.sendChunk({ high: 3, low: 4 }, id, each, 0, 5);
      const [inPlace, copied] = sent.splice(0);
      expect(Buffer.compare(inPlace as Uint8Array, copied as Uint8Array)).toBe(0);
      expect(same((inPlace as Uint8Array).subarray(CHUNK_AT), chunk.offset)).toBe(true);
    }
  });

  it("deliver exactly the bytes, in order, whatever is lost, reordered or comes twice", () => {
    const step = fc.record({
      drop: fc.integer({ min: 0, max: 99 }),
      pick: fc.nat(),
      twice: fc.boolean(),
      consume: fc.nat(100_000),
      write: fc.nat(90_000),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), fc.nat(900_000), fc.nat(60), (steps, total, loss) => {
        const sender = new StreamSender(0);
        const receiver = new StreamReceiver();
        const way: Chunk[] = [];
        const back: Ack[] = [];
        let written = 0;
        let received = 0;
        let consumed = 0;
        const receive = (chunk: { offset: number; fin: boolean }, bytes: Uint8Array): void => {
          const fresh = receiver.receive(chunk.offset, bytes, chunk.fin);
          if (fresh === undefined) return;
          expect(same(fresh, received)).toBe(true);
          received += fresh.length;
          expect(received - consumed).toBeLessThanOrEqual(LIMITS.window);
        };
        const eat = (count: number): void => {
          const most = Math.min(count, received - consumed);
          consumed += most;
          receiver.consume(most);
        };
        const round = (drop: number, pick: number, twice: boolean): void => {
          for (const chunk of takeAll(sender)) {
            expect(chunk.to - chunk.from).toBeLessThanOrEqual(LIMITS.chunk);
            way.push({ ...chunk, bytes: bytesOf(chunk), from: 0, to: chunk.to - chunk.from });
          }
          const [chunk] = way.splice(pick % Math.max(1, way.length), 1);
          if (chunk !== undefined && drop >= loss) receive(chunk, chunk.bytes);
          if (chunk !== undefined && twice) way.push(chunk);
          if (receiver.need !== undefined) back.push(ackOf(receiver));
          const [ack] = back.splice(pick % Math.max(1, back.length), 1);
          if (ack !== undefined && drop >= loss) take(sender, ack);
          if (ack !== undefined && twice) back.push(ack);
        };
        for (const { drop, pick, twice, consume, write } of steps) {
          const more = Math.min(write, total - written);
          if (more > 0 && sender.writable) {
            sender.write(pattern(more, written));
            written += more;
          }
          round(drop, pick, twice);
          eat(consume);
        }
        // From here on nothing is lost: the writer goes on, and probes find what is missing.
        for (let turn = 0; !sender.done && turn < 200; turn++) {
          while (written < total && sender.writable) {
            const more = Math.min(50_000, total - written);
            sender.write(pattern(more, written));
            written += more;
          }
          if (written === total && !sender.ended) sender.end();
          for (const chunk of takeAll(sender)) receive(chunk, bytesOf(chunk));
          receive({ offset: sender.sent, fin: false }, new Uint8Array(0));
          receiver.probed();
          eat(Infinity);
          take(sender, ackOf(receiver, true));
        }
        expect(sender.done).toBe(true);
        expect(received).toBe(total);
        expect(receiver.whole && receiver.done).toBe(true);
        expect(sender.outstanding).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

describe("StreamSender", () => {
  it("sends no more than one credit ahead, and goes on as the window opens", () => {
    const sender = new StreamSender(0);
    sender.write(new Uint8Array(3 * LIMITS.credit));
    const sum = (chunks: readonly Chunk[]): number => chunks.reduce((all, { from, to }) => all + to - from, 0);
    expect(sum(takeAll(sender))).toBe(LIMITS.credit);
    expect(sender.writable).toBe(false);
    sender.acknowledge(LIMITS.credit, 0, false);
    expect(takeAll(sender)).toEqual([]);
    expect(sender.outstanding).toBe(true);
    sender.acknowledge(LIMITS.credit, 1_000, false);
    expect(sum(takeAll(sender))).toBe(1_000);
  });

  it("cuts no chunk in two for want of credit, but where nothing is on its way", () => {
    const sender = new StreamSender(0);
    sender.write(new Uint8Array(3 * LIMITS.chunk));
    sender.acknowledge(0, LIMITS.chunk + 1_000, false);
    expect(takeAll(sender).map(({ from, to }) => to - from)).toEqual([LIMITS.chunk]);
    sender.acknowledge(LIMITS.chunk - 1, 2_000, false);
    expect(takeAll(sender)).toEqual([]);
    sender.acknowledge(LIMITS.chunk, 1_000, false);
    expect(takeAll(sender).map(({ from, to }) => to - from)).toEqual([1_000]);
  });

  it("refuses an acknowledgement of what was never sent", () => {
    const sender = new StreamSender(0);
    sender.write(new Uint8Array(100));
    expect(sender.acknowledge(1, 1_000, false)).toBe(false);
    takeAll(sender);
    expect(sender.acknowledge(101, 1_000, false)).toBe(false);
    expect(sender.acknowledge(99, 1_000, true)).toBe(false);
    expect(sender.acknowledge(100, 1_000, false)).toBe(true);
  });

  it("puts the end on the last chunk, or on one of its own when that has left already", () => {
    const sender = new StreamSender(0);
    sender.write(new Uint8Array(10));
    sender.end();
    expect(takeAll(sender).map(({ fin }) => fin)).toEqual([true]);
    const late = new StreamSender(0);
    late.write(new Uint8Array(10));
    takeAll(late);
    late.end();
    expect(takeAll(late).map(({ offset, from, to, fin }) => ({ offset, length: to - from, fin }))).toEqual([
      { offset: 10, length: 0, fin: true },
    ]);
  });

  it("keeps what it must of what was acknowledged, and lets go of the rest", () => {
    const sender = new StreamSender(200_000);
    for (let i = 0; i < 100; i++) {
      sender.write(new Uint8Array(10_000), undefined, i + 1);
      takeAll(sender);
      sender.acknowledge(10_000 * (i + 1), LIMITS.credit, false);
      expect(sender.held).toBeLessThanOrEqual(200_000 + 2 * LIMITS.chunk);
    }
    expect(sender.held).toBeGreaterThanOrEqual(200_000);
    expect(sender.rewind(1, 101)).toBeUndefined();
    expect(sender.rewind(95, 101)?.serial).toBeLessThanOrEqual(95);
  });

  it("keeps nothing that is acknowledged when it has nothing to retain", () => {
    const sender = new StreamSender(0);
    for (let i = 0; i < 50; i++) {
      sender.write(new Uint8Array(40_000));
      takeAll(sender);
      sender.acknowledge(40_000 * (i + 1), LIMITS.credit, false);
    }
    expect(sender.held).toBeLessThanOrEqual(LIMITS.chunk);
  });

  it("uses its memory again, so that a stream of any length allocates little", () => {
    const sender = new StreamSender(0);
    const buffers = new Set<Uint8Array>();
    for (let at = 0; at < 1_900_000; ) {
      while (sender.writable) sender.write(pattern(LIMITS.chunk));
      for (const chunk of takeAll(sender)) buffers.add(chunk.bytes);
      at = sender.sent;
      expect(sender.acknowledge(at, LIMITS.credit, false)).toBe(true);
    }
    expect(buffers.size).toBeLessThanOrEqual(LIMITS.credit / LIMITS.chunk + 2);
  });

  it("rewinds to a record at or before the one asked for, and sends the same bytes again from there", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 40 }), fc.nat(), (sizes, wanted) => {
        const sender = new StreamSender(LIMITS.retainedPerWork);
        const starts: number[] = [];
        let end = 0;
        sizes.forEach((size, i) => {
          starts.push(end);
          sender.write(pattern(1, end), pattern(size - 1, end + 1), i + 1);
          end += size;
        });
        takeAll(sender);
        sender.acknowledge(Math.min(end, LIMITS.credit), LIMITS.credit, false);
        const serial = 1 + (wanted % sizes.length);
        const place = sender.rewind(serial, sizes.length + 1);
        if (place === undefined) throw new Error("it was gone");
        expect(place.serial).toBeLessThanOrEqual(serial);
        expect(place.offset).toBe(starts[place.serial - 1]);
        let at = place.offset;
        for (const chunk of takeAll(sender)) {
          expect(chunk.offset).toBe(at);
          expect(same(bytesOf(chunk), at)).toBe(true);
          at += chunk.to - chunk.from;
        }
        expect(at).toBe(Math.min(end, place.offset + LIMITS.credit));
      }),
      { numRuns: 100 },
    );
  });
});

describe("StreamReceiver", () => {
  it("does not follow a sender that exceeds its credit", () => {
    const receiver = new StreamReceiver();
    for (let offset = 0; offset < LIMITS.credit; offset += 32_768)
      expect(receiver.receive(offset, new Uint8Array(32_768), false)).toBeDefined();
    expect(receiver.window).toBe(0);
    expect(receiver.receive(LIMITS.credit, new Uint8Array(1), false)).toBeUndefined();
    receiver.consume(1);
    expect(receiver.receive(LIMITS.credit, new Uint8Array(1), false)).toBeDefined();
  });

  it("grants more than one credit to a reader that keeps up, and takes nothing back", () => {
    const receiver = new StreamReceiver();
    const quarter = LIMITS.credit / 4;
    let offset = 0;
    const come = (): void => {
      expect(receiver.receive(offset, new Uint8Array(quarter), false)).toBeDefined();
      offset += quarter;
    };
    // Who has taken nothing yet is given no more than at first.
    come();
    expect(receiver.window).toBe(LIMITS.credit - quarter);
    receiver.acknowledged();
    receiver.consume(quarter);
    expect(receiver.window).toBe(LIMITS.window);
    receiver.acknowledged();
    // It stops: all that was granted may come, and nothing beyond.
    while (receiver.window > 0) {
      come();
      receiver.acknowledged();
    }
    expect(offset).toBe(quarter + LIMITS.window);
    expect(receiver.receive(offset, new Uint8Array(1), false)).toBeUndefined();
    // It takes a little: back to one credit.
    receiver.consume(LIMITS.window - LIMITS.credit);
    expect(receiver.window).toBe(0);
    receiver.consume(1_000);
    expect(receiver.window).toBe(1_000);
  });

  it("grants one credit to a reader that takes a part of what comes", () => {
    const receiver = new StreamReceiver();
    let [offset, consumed] = [0, 0];
    while (receiver.window >= LIMITS.chunk) {
      receiver.receive(offset, new Uint8Array(LIMITS.chunk), false);
      offset += LIMITS.chunk;
      receiver.consume(LIMITS.chunk / 4);
      consumed += LIMITS.chunk / 4;
      if (receiver.need === "now") receiver.acknowledged();
    }
    expect(offset - consumed).toBeGreaterThan(LIMITS.credit / 2);
    expect(offset - consumed).toBeLessThanOrEqual(LIMITS.credit);
  });

  it("sends a flight again once for each place, however many chunks show that it was lost", () => {
    const sender = new StreamSender(0);
    const receiver = new StreamReceiver();
    sender.write(pattern(8 * LIMITS.chunk));
    const gaps = takeAll(sender)
      .slice(1)
      .map((chunk) => {
        receiver.receive(chunk.offset, bytesOf(chunk), chunk.fin);
        return ackOf(receiver);
      });
    expect(gaps.map((ack) => ack.gap)).toEqual(new Array(7).fill(true));
    const again: Chunk[] = [];
    for (const ack of gaps) {
      take(sender, ack);
      again.push(...takeAll(sender));
    }
    expect(again.map((chunk) => chunk.offset)).toEqual(Array.from({ length: 8 }, (_, i) => i * LIMITS.chunk));
    // The next place has its own turn, and what speaks of an earlier one is late.
    take(sender, { offset: LIMITS.chunk, window: LIMITS.credit, done: false, gap: true, probed: false });
    expect(takeAll(sender)).toHaveLength(7);
    take(sender, { ...(gaps[0] as Ack) });
    expect(takeAll(sender)).toEqual([]);
    take(sender, { offset: LIMITS.chunk, window: LIMITS.credit, done: false, gap: false, probed: true });
    expect(takeAll(sender)).toHaveLength(7);
  });

  it("asks for an acknowledgement at once for a gap, a copy, an end, a probe and a quarter of the credit; else soon", () => {
    const receiver = new StreamReceiver();
    expect(receiver.need).toBeUndefined();
    receiver.receive(0, new Uint8Array(10), false);
    expect(receiver.need).toBe("soon");
    receiver.acknowledged();
    expect(receiver.need).toBeUndefined();
    receiver.receive(0, new Uint8Array(10), false);
    expect(receiver.need).toBe("now");
    receiver.acknowledged();
    receiver.receive(20, new Uint8Array(10), false);
    expect(receiver.need).toBe("now");
    expect(receiver.gap).toBe(true);
    receiver.acknowledged();
    receiver.probed();
    expect(receiver.need).toBe("now");
    receiver.acknowledged();
    receiver.receive(10, new Uint8Array(LIMITS.credit / 4), false);
    expect(receiver.need).toBe("now");
    receiver.acknowledged();
    receiver.receive(receiver.offset, new Uint8Array(1), true);
    expect(receiver.need).toBe("now");
    expect(receiver.whole).toBe(true);
    expect(receiver.done).toBe(false);
    receiver.consume(LIMITS.credit);
    expect(receiver.done).toBe(true);
  });
});
