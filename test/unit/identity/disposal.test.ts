import { describe, expect, it } from "vitest";
import { Disposal } from "../../../src/identity/disposal.ts";

describe("Disposal.dispose", () => {
  const disposal = new Disposal();

  it("gives the memory of many bytes back, at once and after the event loop has turned", async () => {
    for (const late of [false, true]) {
      if (late) await new Promise((resolve) => setImmediate(resolve));
      const bytes = new Uint8Array(32_768);
      disposal.dispose(bytes);
      expect(bytes.buffer.byteLength).toBe(0);
    }
  });

  it("leaves few bytes, parts of a larger buffer and shared memory as they are", () => {
    const kept = [new Uint8Array(100), new Uint8Array(65_536).subarray(1, 32_769), new Uint8Array(new SharedArrayBuffer(32_768))];
    for (const bytes of kept) {
      const { length } = bytes;
      disposal.dispose(bytes);
      expect(bytes.length).toBe(length);
    }
  });
});
