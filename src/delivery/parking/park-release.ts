import type { Instant } from "../../core/instant.ts";
import { FLAG, OFFSET, word } from "../../wire/frame.ts";
import type { ParkIndex } from "./park-index.ts";
import { readPage } from "./park-page.ts";
import { NONE } from "./park-table.ts";
import { expiryOf, isLive, type Page, ParkCursor, type Parked, slotsOf } from "./parked.ts";
import { viewOf } from "../records/stored-records.ts";

/**
 * Called with each message that leaves, as a whole frame, its remaining time to live written into it; `undefined`: the disk has lost it. Both are
 * valid during the call.
 */
export type Release = (parked: Parked, frame: Uint8Array | undefined) => void;

/** Sends on what waits of a page that has left the store, where it was `stored` as this; `onLost`: so many the disk has lost. */
export function releasePage(
  index: ParkIndex,
  page: Page,
  stored: Uint8Array | undefined,
  now: Instant,
  release: Release,
  onLost: (messages: number) => void,
): void {
  const { table } = index;
  const parked = new ParkCursor(table, NONE);
  const value = stored?.slice();
  const starts = value === undefined ? undefined : startsOf(index, page, value);
  if (starts === undefined && page.live > 0) onLost(page.live);
  let place = 0;
  for (const slot of slotsOf(table, page)) {
    const start = starts?.[place++];
    if (!isLive(table, page, slot)) continue;
    index.drop(page, slot);
    parked.slot = slot;
    if (value === undefined || start === undefined) {
      release(parked, undefined);
      continue;
    }
    const frame = value.subarray(start, start + table.size(slot));
    const view = viewOf(frame);
    view.setUint32(OFFSET.ttl, Math.max(1, Math.floor(expiryOf(table, page, slot) - now)));
    if (parked.custody) view.setUint8(OFFSET.flags, view.getUint8(OFFSET.flags) | FLAG.custody);
    release(parked, frame);
  }
}

/** Where each frame begins in what was read; undefined where it is not what was written. */
function startsOf({ table }: ParkIndex, page: Page, value: Uint8Array): number[] | undefined {
  const starts: number[] = [];
  if (readPage(value, (start) => void starts.push(start)) !== undefined || starts.length !== page.frames) return undefined;
  let place = 0;
  for (const slot of slotsOf(table, page)) {
    const start = starts[place++] as number;
    if (!table.is(slot, value, start + OFFSET.id) || table.size(slot) !== word(value, start + OFFSET.length)) return undefined;
  }
  return starts;
}
