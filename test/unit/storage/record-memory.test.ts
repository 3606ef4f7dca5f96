import { describe, expect, it } from "vitest";
import { RecordMemory } from "../../../src/storage/record-memory.ts";
import { seal, unseal } from "../../../src/storage/record.ts";

describe("RecordMemory", () => {
  it("gives the memory of a record that was given back to the next, with the length that is asked for", () => {
    const memory = new RecordMemory();
    const first = memory.take(16_000);
    const other = memory.take(3_000);
    expect([first.length, other.length]).toEqual([16_000, 3_000]);
    expect(other.buffer).not.toBe(first.buffer);
    memory.give(first);
    const again = memory.take(2_500);
    expect(again.buffer).toBe(first.buffer);
    expect(again.length).toBe(2_500);
  });

  it("keeps neither small records nor large ones", () => {
    const memory = new RecordMemory();
    for (const length of [10, 100_000]) {
      const record = memory.take(length);
      memory.give(record);
      expect(memory.take(length).buffer).not.toBe(record.buffer);
    }
  });

  it("leaves nothing of a longer record behind a shorter one", () => {
    const memory = new RecordMemory();
    const take = (length: number): Uint8Array => memory.take(length);
    memory.give(seal("a", new Uint8Array(10_000).fill(1), take));
    const value = new Uint8Array(5_000).fill(2);
    expect(unseal("b", seal("b", value, take))).toEqual(value);
  });
});
