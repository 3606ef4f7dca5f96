import type { MeshError } from "../../core/errors.ts";
import { FRAME, OFFSET, ROUTED_HEADER, word } from "../../wire/frame.ts";
import type { Deletions } from "./deletions.ts";
import type { DeliveryPort, DiskEvents, FoundRecord, RecordKind } from "../ports.ts";
import type { StoreClock } from "./store-clock.ts";

/** Where delivery keeps its records, and who hears what the disk did to them. */
export interface Disk {
  readonly port: DeliveryPort;
  readonly clock: StoreClock;
  readonly deletions: Deletions;
  readonly events: DiskEvents;
}

/** Takes what is stored under `prefix` and `name`; answers why it cannot be read, if it cannot. */
export type ReadRecord = (name: string, value: Uint8Array) => string | undefined;

/**
 * Hands over every record under `prefix` in the order of their names. What cannot be read is reported, left out, and left on the disk: another version of
 * this program may be able to. `done` runs when all were, with the names of those.
 */
export function restoreRecords(
  disk: Disk,
  kind: RecordKind,
  prefix: string,
  read: ReadRecord,
  done: (error: MeshError | undefined, unreadable: readonly string[]) => void,
): void {
  const unreadable: string[] = [];
  const reasons = new Map<string, number>();
  const take = (found: readonly FoundRecord[]): void => {
    for (const { key, value } of found) {
      const name = key.slice(prefix.length);
      const why = read(name, value);
      if (why === undefined) continue;
      unreadable.push(name);
      reasons.set(why, (reasons.get(why) ?? 0) + 1);
    }
  };
  disk.port.records.scan({ from: prefix, to: `${prefix}~` }, take, (error) => {
    for (const [why, count] of reasons) disk.events.onLost(kind, count, why);
    done(error, unreadable);
  });
}

/** Why what begins at `at` and goes on to the end of `value` is no whole message, if it is none. */
export function whyNoMessage(value: Uint8Array, at: number): string | undefined {
  const why = whyNoFrame(value, at);
  if (why !== undefined) return why;
  return viewOf(value).getUint32(at + OFFSET.length) === value.length - at ? undefined : OTHER_LENGTH;
}

/** Why what begins at `at` is no whole message, if it is none; others may come behind it. */
export function whyNoFrame(value: Uint8Array, at: number): string | undefined {
  if (value.length < at + ROUTED_HEADER) return "shorter than a message";
  const length = word(value, at + OFFSET.length);
  if (length < ROUTED_HEADER || length > value.length - at) return OTHER_LENGTH;
  return value[at + OFFSET.kind] === FRAME.message ? undefined : "no message";
}

const OTHER_LENGTH = "of another length than its message says";

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
