import { expect, it } from "vitest";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { ParkIndex } from "../../../src/delivery/parking/park-index.ts";
import { OFFSET, ROUTED_HEADER } from "../../../src/wire/frame.ts";

it("ParkIndex.freeIfEmpty lets go of the page, its slots, its deadline and its queue", () => {
  const index = new ParkIndex(() => 7);
  const frame = new Uint8Array(ROUTED_HEADER);
  const view = new DataView(frame.buffer);
  for (let round = 0; round < 3; round++) {
    const page = index.newPage(100, index.queue(hashNodeId("b")), round);
    const slots = [1, 2].map((n) => {
      view.setUint32(OFFSET.id, n);
      view.setUint32(OFFSET.ttl, 50 * n);
      return index.insert(page, frame, 0, frame.length, true);
    });
    expect([index.messages, index.table.pages, index.expiry.next()]).toEqual([2, 1, 150]);
    for (const slot of slots) index.drop(page, slot);
    index.freeIfEmpty(page);
    index.freeIfEmpty(page);
    expect([index.messages, index.bytes, index.table.pages, index.expiry.next(), index.has(hashNodeId("b"))]).toEqual([
      0,
      0,
      0,
      undefined,
      false,
    ]);
  }
});
