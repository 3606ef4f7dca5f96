import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { FRAME, OFFSET } from "../../../src/wire/frame.ts";
import { CATALOGUE } from "../../frozen/catalogue.ts";
import { LIFE } from "../../frozen/cases/disk.ts";
import { hex, readRecordings, recordedFiles } from "../../frozen/recordings.ts";

const recordingOf = (file: string, name: string): Uint8Array => {
  const found = readRecordings(file).find((recording) => recording.name === name);
  expect(found, `${name} was never recorded: see "Frozen bytes" in docs/protocol.md`).toBeDefined();
  return found?.bytes ?? new Uint8Array();
};

describe.each(Object.entries(CATALOGUE))("%s", (file, cases) => {
  it.each(cases.map((one) => [one.name, one] as const))("%s is written as it was recorded", (name, { encode }) => {
    expect(hex(encode())).toBe(hex(recordingOf(file, name)));
  });

  it.each(cases.map((one) => [one.name, one] as const))("%s is read as what it was", (name, { decode, value }) => {
    expect(decode(recordingOf(file, name))).toEqual(value);
  });

  it("has no recording that nobody checks", () => {
    expect(
      readRecordings(file)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(cases.map(({ name }) => name).toSorted());
  });
});

describe("life.hex", () => {
  it("is written as it was recorded, and read as what it was", async () => {
    expect(hex(LIFE.encode())).toBe(hex(recordingOf("life.hex", "life")));
    expect(await LIFE.decode(recordingOf("life.hex", "life"))).toEqual(LIFE.value);
  });
});

describe("the recordings", () => {
  const frames = ["link.hex", "routing.hex", "message.hex", "stream.hex", "sealed.hex"]
    .flatMap(readRecordings)
    .filter(({ name }) => !/^advertisement(-|$)/.test(name));

  it("have a frame of each kind of FRAME", () => {
    const kinds = new Set(frames.map(({ bytes }) => bytes[OFFSET.kind]));
    const missing = Object.entries(FRAME).filter(([, kind]) => !kinds.has(kind));
    expect(missing).toEqual([]);
  });

  it("have a frame with each flag that docs/protocol.md lists for its kind", () => {
    const text = readFileSync(join(resolve(import.meta.dirname, "../../.."), "docs/protocol.md"), "utf8");
    const table = text.slice(text.indexOf("## Kinds"), text.indexOf("## A link"));
    const rows = [...table.matchAll(/^\| (\d+) \| [a-z ]+ \|([^|]*)\|/gm)];
    expect(rows).toHaveLength(Object.keys(FRAME).length);
    const listed = rows.flatMap(([, kind, flags = ""]) =>
      [...flags.matchAll(/\d+/g)].map(([flag]) => [Number(kind), Number(flag)] as const),
    );
    expect(listed.length).toBeGreaterThan(10);
    for (const [kind, flag] of listed) {
      const shown = frames.some(({ bytes }) => bytes[OFFSET.kind] === kind && ((bytes[OFFSET.flags] ?? 0) & flag) !== 0);
      expect(shown, `kind ${kind}, flag ${flag}`).toBe(true);
    }
  });

  it("are all in files that the catalogue, or a test of a whole session or disk, reads", () => {
    expect(recordedFiles()).toEqual([...Object.keys(CATALOGUE), "life.hex", "session.hex", "store.hex"].toSorted());
  });
});
