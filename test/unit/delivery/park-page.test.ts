import { describe, expect, it } from "vitest";
import { PAGE_BYTES, PageWriters, readPage } from "../../../src/delivery/parking/park-page.ts";
import { messageOf } from "./disk.ts";

describe("PageWriters", () => {
  it("begins each page anew, as full as the first, in the same memory", () => {
    const writers = new PageWriters();
    const frame = messageOf(1);
    const taken = new Set<unknown>();
    for (let round = 0; round < 40; round++) {
      const writer = writers.take();
      taken.add(writer);
      while (!writer.isFullFor(frame.length)) writer.push(frame, 0, frame.length);
      const frames = writer.frames;
      expect(frames).toBe(Math.floor(PAGE_BYTES / frame.length));
      let found = 0;
      expect(readPage(writer.close(round), () => found++)).toBeUndefined();
      expect(found).toBe(frames);
      writers.give(writer);
    }
    expect(taken.size).toBe(1);
  });

  it("does not keep the memory of a frame that was larger than a page", () => {
    const writers = new PageWriters();
    const writer = writers.take();
    writer.push(new Uint8Array(2 * PAGE_BYTES), 0, 2 * PAGE_BYTES);
    writer.close(0);
    writers.give(writer);
    expect(writers.take()).not.toBe(writer);
  });
});
