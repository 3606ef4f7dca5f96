import { describe, expect, it } from "vitest";
import { MARK, NONE, ParkTable } from "../../../src/delivery/parking/park-table.ts";
import { OFFSET, ROUTED_HEADER } from "../../../src/wire/frame.ts";

function frameOf(n: number): Uint8Array {
  const frame = new Uint8Array(ROUTED_HEADER);
  new DataView(frame.buffer).setUint32(OFFSET.id + 12, n);
  return frame;
}

/** The same numbers each time. */
function numbers(): () => number {
  let state = 1;
  return () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 1);
}

describe("ParkTable", () => {
  it("finds what is in it, and nothing else, through growing, removing and taking slots again", () => {
    const table = new ParkTable<string>(() => 5);
    const slots = new Map<number, number>();
    const pages = new Map<number, number>();
    const random = numbers();
    for (let step = 0; step < 20_000; step++) {
      const n = random() % 6_000;
      const slot = slots.get(n);
      expect(table.find(frameOf(n), OFFSET.id)).toBe(slot ?? NONE);
      if (slot === undefined) {
        const page = table.enlist(`page ${n}`);
        pages.set(n, page);
        slots.set(n, table.add(page, frameOf(n), 0, ROUTED_HEADER, true));
        continue;
      }
      expect(table.page(slot)).toBe(`page ${n}`);
      table.drop(slot);
      expect(table.has(slot, MARK.gone)).toBe(true);
      table.free(slot);
      expect(table.page(slot)).toBeUndefined();
      table.delist(pages.get(n) ?? NONE);
      slots.delete(n);
    }
    expect(table.messages).toBe(slots.size);
    for (const [n, slot] of slots)
      expect([table.find(frameOf(n), OFFSET.id), table.id(slot).slice(-8)]).toEqual([slot, n.toString(16).padStart(8, "0")]);
  });

  it("keeps a message that waits no more until its slot is freed, and no longer finds it", () => {
    const table = new ParkTable<string>(() => 5);
    const page = table.enlist("page");
    const slot = table.add(page, frameOf(1), 0, ROUTED_HEADER, true);
    table.drop(slot);
    expect(table.find(frameOf(1), OFFSET.id)).toBe(NONE);
    const again = table.add(page, frameOf(1), 0, ROUTED_HEADER, true);
    expect(again).not.toBe(slot);
    expect(table.find(frameOf(1), OFFSET.id)).toBe(again);
  });
});
