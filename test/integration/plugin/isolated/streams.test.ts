import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { BOUNDS } from "../../../../src/plugin/isolated/frames.ts";
import { Bench, TestSink } from "./harness.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
/** What may be on its way of one work in one direction, in streams and sockets on both sides too. */
const ON_ITS_WAY = BOUNDS.window + BOUNDS.frame + 128 * KiB;

/** So many bytes, made when they are asked for. */
function made(bytes: number): { readonly stream: Readable; readonly sha256: () => string; readonly count: () => number } {
  const hash = createHash("sha256");
  let count = 0;
  function* pieces(): Generator<Buffer> {
    while (count < bytes) {
      const piece = Buffer.alloc(Math.min(48 * KiB, bytes - count), count % 251);
      hash.update(piece);
      count += piece.length;
      yield piece;
    }
  }
  return { stream: Readable.from(pieces(), { objectMode: false }), sha256: () => hash.digest("hex"), count: () => count };
}

describe("the pipe to a plugin's process", () => {
  it("carries a stream there and back, byte for byte", async () => {
    await using bench = await Bench.open(`async *run(input) { yield input.stream(); }`);
    const payload = made(32 * MiB);
    const back = createHash("sha256");
    const { outcome, sink } = bench.start("run", payload.stream, new TestSink({ onChunk: (bytes) => void back.update(bytes) }));
    expect(await outcome).toEqual({});
    expect(sink.bytes).toBe(32 * MiB);
    expect(back.digest("hex")).toBe(payload.sha256());
  });

  it("carries a large value in pieces, as one value", async () => {
    await using bench = await Bench.open(
      `async *run(input, { respond }) { yield "x".repeat(1_000_000); yield { list: new Array(100_000).fill(7) }; yield respond(Buffer.alloc(300_000, 1), "side"); yield "small"; }`,
    );
    const { outcome, sink } = bench.start("run");
    expect(await outcome).toEqual({});
    expect(sink.responses.map(({ content, channel, bytes }) => [content, channel, bytes])).toEqual([
      ["text", undefined, 1_000_000],
      ["json", undefined, 200_010],
      ["bytes", "side", 300_000],
      ["text", undefined, 5],
    ]);
  });

  it.each([
    ["values", `async *run() { for (;;) { made += 1_000; yield "x".repeat(1_000); } }`],
    ["empty values", `async *run() { for (;;) { made += 64; yield ""; } }`],
    ["a stream", `async *run() { yield new Readable({ read() { made += 16_384; this.push(Buffer.alloc(16_384)); } }); }`],
  ])("stops a plugin that makes %s without end while nobody takes them", async (_, action) => {
    await using bench = await Bench.open(`${action}, async made() { return made; }`, {}, `start() { globalThis.made = 0; }`);
    const { outcome, sink, abort } = bench.start("run", "", new TestSink({ paused: true }));
    const count = async (): Promise<number> => Number((await bench.ask("made"))[0]);
    await wait(300);
    const before = await count();
    await wait(300);
    expect(await count()).toBe(before);
    expect(before).toBeGreaterThan(100 * KiB);
    expect(before).toBeLessThan(ON_ITS_WAY);
    expect(sink.bytes).toBeLessThan(ON_ITS_WAY);

    // As much is made anew as is taken.
    for (let taken = 0; taken < 400; taken++) {
      sink.step();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await count()) - sink.bytes).toBeLessThan(ON_ITS_WAY);
    abort();
    expect((await outcome).error).toMatchObject({ code: "CANCELLED" });
  });

  it("stops the sender of a payload that the plugin does not read, and goes on when it does", async () => {
    await using bench = await Bench.open(
      `async *run(input, { signal }) { yield "here"; await new Promise((go) => { globalThis.go = go; }); let bytes = 0; for await (const part of input.stream()) bytes += part.length; yield bytes; }, async go() { globalThis.go(); }`,
    );
    const payload = made(8 * MiB);
    const { outcome, sink } = bench.start("run", payload.stream);
    await expect.poll(() => sink.responses.length).toBe(1);
    await wait(300);
    expect(payload.count()).toBeGreaterThan(100 * KiB);
    expect(payload.count()).toBeLessThan(ON_ITS_WAY);
    await bench.ask("go");
    expect(await outcome).toEqual({});
    expect(sink.responses.at(-1)?.text).toBe(String(8 * MiB));
  });

  it("drops the rest of a payload that a plugin did not read to its end", async () => {
    await using bench = await Bench.open(`async run() { return "enough"; }`);
    const payload = made(4 * MiB);
    const { outcome } = bench.start("run", payload.stream);
    expect(await outcome).toEqual({});
    await expect.poll(() => payload.count()).toBe(4 * MiB);
    expect(await bench.ask("run")).toEqual(["enough"]);
  });

  it("tells the plugin that its payload broke off", async () => {
    await using bench = await Bench.open(
      `async *run(input) { yield "on"; try { for await (const _ of input.stream()); } catch (error) { yield error.message; } }`,
    );
    const stream = new Readable({ read: () => undefined });
    const { outcome, sink } = bench.start("run", stream);
    await expect.poll(() => sink.responses.length).toBe(1);
    stream.destroy(new Error("cut"));
    expect(await outcome).toEqual({});
    expect(sink.responses[1]?.text).toBe("the payload broke off");
  });

  it("ends a process that sends beyond its window", async () => {
    // The plugin speaks for itself: the head of a frame, a response that begins, and chunks without end.
    const code = `
      const frame = (kind, data) => { const all = Buffer.alloc(9 + data.length); all.writeUInt32LE(5 + data.length, 0); all[4] = kind; all.writeUInt32LE(1, 5); data.copy(all, 9); return all; };
      const write = async (bytes) => { for (let at = 0; at < bytes.length; ) { try { at += fs.writeSync(3, bytes, at); } catch { await sleep(1); } } };
      await write(frame(37, Buffer.from([3, 0])));
      for (;;) await write(frame(38, Buffer.alloc(32_768)));`;
    await using bench = await Bench.open(`async run() { ${code} }`);
    const { outcome, sink } = bench.start("run", "", new TestSink({ paused: true }));
    await expect.poll(() => bench.logged.some(({ message }) => message === "a plugin's process ended"), { timeout: 10_000 }).toBe(true);
    expect(sink.bytes).toBeLessThan(ON_ITS_WAY);
    sink.resume();
    expect((await outcome).error?.message).toMatch(/it broke the protocol: responses beyond the window/);
  });
});
