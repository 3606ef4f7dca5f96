import { describe, expect, it } from "vitest";
import { escapeLine, escapeText, Utf8Escaper, unfinished } from "../../../src/cli/escape.ts";
import { humanBytes, humanRtt, humanTime, table, width } from "../../../src/cli/table.ts";

describe("escapeText", () => {
  it.each([
    ["a\tb\nc", "a\tb\nc"],
    ["a\r\nb", "a\nb"],
    ["\r50%", "\\x0d50%"],
    ["\u001b]0;title\u0007", "\\x1b]0;title\\x07"],
    ["\u009b31m", "\\x9b31m"],
    ["abc\u202edcb", "abc\\u202edcb"],
    ["日本 é 🙂", "日本 é 🙂"],
  ])("makes %j harmless", (text, expected) => expect(escapeText(text)).toBe(expected));

  it("on one line hides line feeds too", () => expect(escapeLine("a\nb\tc")).toBe("a\\nb\\tc"));
});

describe("Utf8Escaper", () => {
  const all = (parts: readonly (readonly number[])[]): string => {
    const escaper = new Utf8Escaper();
    return parts.map((part) => escaper.push(Uint8Array.from(part))).join("") + escaper.end();
  };

  it("puts characters together that come in pieces", () => {
    const bytes = [...Buffer.from("aé日🙂z")];
    expect(all(bytes.map((byte) => [byte]))).toBe("aé日🙂z");
  });

  it.each([
    [[[0xff]], "\\xff"],
    [[[0x61, 0xc3], [0x28]], "a\\xc3("],
    [[[0xf0, 0x9f]], "\\xf0\\x9f"],
    [[[0xed, 0xa0, 0x80]], "\\xed\\xa0\\x80"],
  ])("writes out what is no UTF-8: %j", (parts, expected) => expect(all(parts)).toBe(expected));

  it("keeps no reference to a buffer that its owner uses again", () => {
    const escaper = new Utf8Escaper();
    const buffer = Buffer.from([0xc3]);
    escaper.push(buffer);
    buffer[0] = 0x61;
    expect(escaper.push(Buffer.from([0xa9]))).toBe("é");
  });
});

describe("unfinished", () => {
  it.each([
    [[0x61], 0],
    [[0xc3], 1],
    [[0xe6, 0x97], 2],
    [[0xf0, 0x9f, 0x99], 3],
    [[0xc3, 0xa9], 0],
    [[0x80, 0x80, 0x80, 0x80], 0],
    [[], 0],
  ])("of %j is %d", (bytes, count) => expect(unfinished(Uint8Array.from(bytes))).toBe(count));
});

describe("table", () => {
  it("lines up columns, by what a terminal shows", () => {
    expect(
      table(
        ["A", "N"],
        [
          ["日本", "1"],
          ["\u001b[1mx\u001b[22m", "22"],
        ],
        new Set([1]),
      ),
    ).toEqual(["A      N", "日本   1", "\u001b[1mx\u001b[22m     22"]);
    expect(width("e\u0301")).toBe(1);
  });
});

describe("figures for people", () => {
  it.each([
    [0, "0s"],
    [412, "0.4s"],
    [9_949, "9.9s"],
    [12_000, "12s"],
    [299_400, "4m59s"],
    [300_000, "5m"],
    [273_600_000, "3d4h"],
  ])("time of %d ms is %s", (ms, text) => expect(humanTime(ms)).toBe(text));
  it.each([
    [0, "0 B"],
    [1_023, "1023 B"],
    [1_536, "1.5 KiB"],
    [2 ** 30, "1.0 GiB"],
  ])("%d bytes are %s", (bytes, text) => expect(humanBytes(bytes)).toBe(text));
  it("a round trip has three digits, or none", () => {
    expect(humanRtt(0.4125)).toMatch(/^0\.41[23] ms$/);
    expect(humanRtt(null)).toBe("-");
  });
});
