import { beforeEach, describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { type Outgoing, Outbox } from "../../../src/delivery/origin/outbox.ts";
import { OFFSET } from "../../../src/wire/frame.ts";
import { BenchDisk, idOf, messageOf } from "./disk.ts";

/** Where the frame begins in the record of a message to `b`. */
const FRAME_AT = 17 + 1;

let disk: BenchDisk;
let outbox: Outbox;

beforeEach(() => {
  disk = new BenchDisk();
  outbox = new Outbox(disk.begin());
});

function put(n: number): string[] {
  const answers: string[] = [];
  outbox.put(0, idOf(n), nodeId("b"), messageOf(n), 60_000, (error) => answers.push(error?.code ?? "stored"));
  disk.run();
  return answers;
}

/** What another life of the node reads. */
function restored(): { entries: readonly Outgoing[]; error: string | undefined } {
  let answer: { entries: readonly Outgoing[]; error: string | undefined } | undefined;
  outbox = new Outbox(disk.begin());
  outbox.restore(
    () => 0,
    (error, entries) => (answer = { entries, error: error?.code }),
  );
  disk.run();
  if (answer === undefined) throw new RangeError("it never answered");
  return answer;
}

const ids = (): string[] => restored().entries.map(({ id }) => id);
const keyOf = (n: number): string => `outbox/${idOf(n)}`;

describe("Outbox", () => {
  it("gives back what was put, with what is left of its time to live", () => {
    expect(put(1)).toEqual(["stored"]);
    disk.wall += 10_000;
    const [entry] = restored().entries;
    expect(entry).toEqual({ id: idOf(1), node: "b", to: hashNodeId("b"), frame: messageOf(1), expiresAt: 50_000, directive: "test:run" });
    disk.wall -= 3_600_000;
    expect(restored().entries[0]?.expiresAt).toBe(50_000);
    expect(disk.lost).toEqual([]);
  });

  it("gives back no more what was removed; a second removal, or one of what was never there, changes nothing", () => {
    for (const n of [1, 2, 3]) put(n);
    outbox.remove(idOf(2));
    outbox.remove(idOf(2));
    outbox.remove(idOf(9));
    disk.run();
    expect(ids()).toEqual([idOf(1), idOf(3)]);
    expect(disk.lost).toEqual([]);
  });

  it("replaces what was put before under the same id", () => {
    put(1);
    const again = messageOf(1, "b", 1_234);
    outbox.put(0, idOf(1), nodeId("b"), again, 1_234, () => undefined);
    disk.run();
    const { entries } = restored();
    expect(entries.map(({ frame }) => frame)).toEqual([again]);
    expect(disk.lost).toEqual([]);
  });

  it("answers with the store's error, and does not miss afterwards what was not written", () => {
    put(1);
    disk.store.fail("STORE_FULL");
    expect(put(2)).toEqual(["STORE_FULL"]);
    outbox.remove(idOf(2));
    disk.store.fail(undefined);
    put(3);
    expect(ids()).toEqual([idOf(1), idOf(3)]);
    expect(disk.lost).toEqual([]);
  });

  it.each<[string, (value: Uint8Array, view: DataView) => Uint8Array | void, string]>([
    ["without any bytes", (value) => value.slice(0, 0), "shorter than any record"],
    ["cut within its head", (value) => value.slice(0, 16), "shorter than any record"],
    ["cut within the frame's header", (value) => value.slice(0, FRAME_AT + 20), "shorter than a message"],
    ["cut within the body", (value) => value.slice(0, -1), "of another length than its message says"],
    ["with bytes behind it", (value) => Uint8Array.of(...value, 0), "of another length than its message says"],
    ["of another kind of frame", (value) => void (value[FRAME_AT + OFFSET.kind] = 19), "no message"],
    ["under another id", (value) => void (value[FRAME_AT + OFFSET.id + 15] = 77), "another message than its key says"],
    ["to a node of no valid name", (value) => void (value[FRAME_AT - 1] = 7), "for another node than it says"],
    ["to a node whose name is no text", (value) => void (value[FRAME_AT - 1] = 0xff), "for another node than it says"],
    ["to another node than its frame", (value) => void (value[FRAME_AT - 1] = 99), "for another node than it says"],
    ["whose name would be longer than it", (value) => void (value[16] = 255), "shorter than a message"],
    ["without a time to live", (_value, view) => view.setFloat64(8, NaN), "without a time to live"],
  ])("reports a record %s, leaves it where it is, and reads the others", (_what, change, why) => {
    for (const n of [1, 2, 3]) put(n);
    restored();
    disk.tamper(keyOf(2), change);
    expect(ids()).toEqual([idOf(1), idOf(3)]);
    expect(disk.lost).toEqual([`1 outbox: ${why}`]);
    expect(disk.keys()).toContain(keyOf(2));
  });
});
