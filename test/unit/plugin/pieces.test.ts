import { PassThrough, Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { piecesOf } from "../../../src/plugin/pieces.ts";

async function read(stream: Readable): Promise<unknown[]> {
  const read: unknown[] = [];
  for await (const piece of piecesOf(stream)) read.push(piece);
  return read;
}

const bytes = (length: number, fill: number): Buffer => Buffer.alloc(length, fill);

describe("piecesOf", () => {
  test("gives the very pieces of a source that is faster than its reader", async () => {
    const made = [bytes(70_000, 1), bytes(70_000, 2), bytes(70_000, 3), bytes(10, 4)];
    const got = await read(Readable.from(made, { objectMode: false }));
    expect(got).toHaveLength(4);
    expect(got.every((piece, i) => piece === made[i])).toBe(true);
  });

  test("holds a source back to the pace of its reader", async () => {
    let made = 0;
    const source = Readable.from(
      (function* () {
        for (; made < 100; made++) yield bytes(70_000, 1);
      })(),
      { objectMode: false },
    );
    const pieces = piecesOf(source);
    await pieces.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(made).toBeLessThan(10);
    await pieces.return();
    expect(source.destroyed).toBe(true);
  });

  test("throws what the stream failed with, after what came before", async () => {
    const stream = new PassThrough();
    const pieces = piecesOf(stream);
    stream.write("a");
    expect(String((await pieces.next()).value)).toBe("a");
    const next = pieces.next();
    stream.destroy(new Error("the disk is gone"));
    await expect(next).rejects.toThrow("the disk is gone");
  });

  test("throws where the stream closes before its end", async () => {
    const stream = new PassThrough();
    const reading = read(stream);
    stream.write("a");
    setImmediate(() => stream.destroy());
    await expect(reading).rejects.toMatchObject({ code: "ERR_STREAM_PREMATURE_CLOSE" });
  });

  test("throws for a stream that is closed already", async () => {
    const stream = new PassThrough();
    stream.destroy();
    await expect(read(stream)).rejects.toMatchObject({ code: "ERR_STREAM_PREMATURE_CLOSE" });
  });

  test("gives text where the stream makes text, and the values of a stream of values", async () => {
    const text = new PassThrough();
    text.setEncoding("utf8");
    text.end("äö");
    expect((await read(text)).join("")).toBe("äö");
    expect(await read(Readable.from([1, "two"]))).toEqual([1, "two"]);
  });

  test("ends at the end of an empty stream", async () => {
    const stream = new PassThrough();
    stream.end();
    expect(await read(stream)).toEqual([]);
  });
});
