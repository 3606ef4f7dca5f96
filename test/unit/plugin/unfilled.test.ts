import { expect, test } from "vitest";
import { unfilled } from "../../../src/plugin/unfilled.ts";

test("unfilled gives plain bytes of the size asked for, and what is large a buffer of its own", () => {
  for (const size of [0, 1, 1_024, 1_025, 70_000]) {
    const bytes = unfilled(size);
    expect([bytes.length, Buffer.isBuffer(bytes)]).toEqual([size, false]);
    if (size > 1_024) expect(bytes.buffer.byteLength).toBe(size);
  }
});
