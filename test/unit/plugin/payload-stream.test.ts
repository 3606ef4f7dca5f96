import { describe, expect, test } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { PayloadStream } from "../../../src/plugin/payload-stream.ts";

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

function made(): { readonly stream: PayloadStream; readonly consumed: () => number } {
  let sum = 0;
  const stream = new PayloadStream((count) => {
    sum += count;
  });
  return { stream, consumed: () => sum };
}

async function read(stream: PayloadStream): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream.readable) pieces.push(piece as Uint8Array);
  return pieces;
}

describe("PayloadStream", () => {
  test("hands over what waits piece by piece, without joining, and says what was read", async () => {
    const { stream, consumed } = made();
    const given = [bytes(70_000, 1), bytes(3, 2), bytes(70_000, 3)];
    for (const piece of given) stream.add(piece);
    stream.finish();
    expect(consumed()).toBe(0);
    const got = await read(stream);
    expect(got.map(({ length }) => length)).toEqual([70_000, 3, 70_000]);
    expect(got.every((piece, i) => piece.buffer === given[i]?.buffer)).toBe(true);
    expect(consumed()).toBe(140_003);
  });

  test("copies what is there during the call alone: whole chunks that come together in pieces of two, less as it came", async () => {
    const { stream, consumed } = made();
    const reader = stream.readable[Symbol.asyncIterator]();
    const next = reader.next();
    const given = new Uint8Array(LIMITS.chunk);
    const sizes = [...new Array<number>(5).fill(LIMITS.chunk), 100, 200, LIMITS.chunk - 1];
    for (const [i, size] of sizes.entries()) {
      given.fill(i);
      stream.addCopy(given.subarray(0, size));
    }
    given.fill(0xee);
    stream.finish();
    const pieces = [(await next).value as Uint8Array];
    for await (const piece of { [Symbol.asyncIterator]: () => reader }) pieces.push(piece as Uint8Array);
    expect(pieces.map(({ length }) => length)).toEqual([2 * LIMITS.chunk, 2 * LIMITS.chunk, LIMITS.chunk + 300, LIMITS.chunk - 1]);
    expect(Buffer.concat(pieces).equals(Buffer.concat(sizes.map((size, i) => bytes(size, i))))).toBe(true);
    expect(consumed()).toBe(sizes.reduce((sum, size) => sum + size));
  });

  test("keeps the order of what is copied and what is not", async () => {
    const { stream } = made();
    for (const add of ["addCopy", "add", "addCopy"] as const) stream[add](bytes(LIMITS.chunk, add.length));
    stream.finish();
    expect((await read(stream)).map((piece) => piece[0])).toEqual([7, 3, 7]);
  });

  test("closed with a piece that is not full: it counts as read", () => {
    const { stream, consumed } = made();
    stream.addCopy(bytes(LIMITS.chunk, 1));
    stream.close();
    expect(consumed()).toBe(LIMITS.chunk);
  });

  test("says nothing as read before its reader has asked for more", async () => {
    const { stream, consumed } = made();
    const reader = stream.readable[Symbol.asyncIterator]();
    for (let i = 0; i < 10; i++) stream.add(bytes(100, i));
    await reader.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(consumed()).toBeLessThanOrEqual(300);
    await reader.return?.();
    expect(consumed()).toBe(1_000);
    stream.add(bytes(5, 0));
    expect(consumed()).toBe(1_005);
  });

  test("fails with its reason after what came before", async () => {
    const { stream } = made();
    stream.add(bytes(3, 1));
    stream.finish(new MeshError("STREAM_INCOMPLETE", "broken off"));
    stream.finish();
    const reader = stream.readable[Symbol.asyncIterator]();
    expect((await reader.next()).value).toHaveLength(3);
    await expect(reader.next()).rejects.toMatchObject({ code: "STREAM_INCOMPLETE" });
  });

  test("closed: what waits counts as read, and who reads is told, also later", async () => {
    for (const opened of [true, false]) {
      const { stream, consumed } = made();
      if (opened) expect(stream.readable.destroyed).toBe(false);
      stream.add(bytes(100_000, 1));
      stream.add(bytes(100_000, 1));
      stream.close();
      expect(consumed()).toBe(200_000);
      await expect(read(stream)).rejects.toMatchObject({ code: "CLOSED" });
    }
  });

  test("that is empty ends", async () => {
    const { stream } = made();
    stream.finish();
    expect(await read(stream)).toEqual([]);
  });
});
