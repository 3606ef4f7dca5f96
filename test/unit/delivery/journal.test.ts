import { beforeEach, describe, expect, it } from "vitest";
import { Journal, type JournalContent } from "../../../src/delivery/destination/journal.ts";
import { OFFSET, ROUTED_HEADER } from "../../../src/wire/frame.ts";
import { BenchDisk, idOf, messageOf } from "./disk.ts";

const FRAME_AT = 1;

let disk: BenchDisk;
let journal: Journal;

beforeEach(() => {
  disk = new BenchDisk();
  journal = new Journal(disk.begin());
});

function put(n: number, ended = false): string[] {
  const answers: string[] = [];
  journal.put(idOf(n), messageOf(n), ended, (error) => answers.push(error?.code ?? "stored"));
  disk.run();
  return answers;
}

/** What another life of the node reads. */
function restored(): JournalContent {
  let answer: JournalContent | undefined;
  journal = new Journal(disk.begin());
  journal.restore((_error, content) => (answer = content));
  disk.run();
  if (answer === undefined) throw new RangeError("it never answered");
  return answer;
}

const ids = (content: JournalContent): string[] => content.entries.map(({ id }) => id);
const keyOf = (n: number): string => `journal/${idOf(n)}`;

describe("Journal", () => {
  it("gives back what was taken, whether it has ended, and its whole time to live", () => {
    expect(put(1)).toEqual(["stored"]);
    put(2);
    put(2, true);
    disk.wall += 3_600_000;
    const { entries, unreadable } = restored();
    expect(entries.map(({ id, ended, ttl }) => ({ id, ended, ttl }))).toEqual([
      { id: idOf(1), ended: false, ttl: 60_000 },
      { id: idOf(2), ended: true, ttl: 60_000 },
    ]);
    expect(entries[0]).toMatchObject({ frame: messageOf(1), body: { sender: "a", directive: "test:run", payload: Uint8Array.of(1) } });
    expect(unreadable).toEqual([]);
    expect(disk.lost).toEqual([]);
  });

  it("forgets what was removed, and misses neither that nor what the store would not take", () => {
    for (const n of [1, 2, 3]) put(n);
    journal.remove(idOf(2));
    journal.remove(idOf(2));
    journal.remove(idOf(9));
    disk.run();
    disk.store.fail("STORE_FULL");
    expect(put(4)).toEqual(["STORE_FULL"]);
    journal.remove(idOf(4));
    disk.run();
    disk.store.fail(undefined);
    put(5);
    expect(ids(restored())).toEqual([1, 3, 5].map(idOf));
    expect(disk.lost).toEqual([]);
  });

  it.each<[string, (value: Uint8Array) => Uint8Array | void, string]>([
    ["without any bytes", (value) => value.slice(0, 0), "shorter than a message"],
    ["that is its head alone", (value) => value.slice(0, 1), "shorter than a message"],
    ["cut within the frame's header", (value) => value.slice(0, FRAME_AT + 12), "shorter than a message"],
    ["cut within the body", (value) => value.slice(0, -1), "of another length than its message says"],
    ["neither running nor ended", (value) => void (value[0] = 7), "neither running nor ended"],
    ["of another kind of frame", (value) => void (value[FRAME_AT + OFFSET.kind] = 18), "no message"],
    ["under another id", (value) => void (value[FRAME_AT + OFFSET.id] = 77), "another message than its key says"],
    [
      "whose metadata is no msgpack",
      (value) => void value.fill(0xc1, FRAME_AT + ROUTED_HEADER + 10),
      "a message whose body cannot be read",
    ],
    [
      "whose metadata is longer than it",
      (value) => void value.fill(0x0f, FRAME_AT + ROUTED_HEADER + 8),
      "a message whose body cannot be read",
    ],
  ])("reports a record %s, tells its id, and reads the others", (_what, change, why) => {
    for (const n of [1, 2, 3]) put(n);
    restored();
    disk.tamper(keyOf(2), change);
    const content = restored();
    expect(ids(content)).toEqual([1, 3].map(idOf));
    expect(content.unreadable).toEqual([idOf(2)]);
    expect(disk.lost).toEqual([`1 journal: ${why}`]);
    // It stays, so that no later life runs it either.
    expect(restored().unreadable).toEqual([idOf(2)]);
  });

  it("tells no id of a record under a key that is none", () => {
    put(1);
    disk.put("journal/what", disk.get(keyOf(1)));
    const content = restored();
    expect(ids(content)).toEqual([idOf(1)]);
    expect(content.unreadable).toEqual([]);
    expect(disk.lost).toEqual(["1 journal: another message than its key says"]);
  });
});
