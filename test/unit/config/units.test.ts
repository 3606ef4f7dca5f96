import { describe, expect, it } from "vitest";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../../src/config/units.ts";

describe("parseDuration", () => {
  it.each([
    ["250ms", 250],
    ["30s", 30_000],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["17", 17],
    [" 1s ", 1_000],
    ["0", 0],
  ])("reads %s", (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

  it.each(["", "s", "5 minutes", "-1s", "1s!", "1e3", "5M", "99999999999999999999d", "NaN"])("refuses %j", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it("counts a bare number in the unit that it is told", () => {
    expect(parseDuration("2.5", 1_000)).toBe(2_500);
    expect(parseDuration("2500ms", 1_000)).toBe(2_500);
  });
});

describe("parseSize", () => {
  it.each([
    ["1GiB", 2 ** 30],
    ["1 GiB", 2 ** 30],
    ["1G", 2 ** 30],
    ["1GB", 1e9],
    ["1.5KiB", 1_536],
    ["4096", 4_096],
    ["7B", 7],
  ])("reads %s", (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(["", "GiB", "1 gigabyte", "-1B", "1GiBs", "99999999TiB"])("refuses %j", (text) => expect(parseSize(text)).toBeUndefined());
});

describe("formatDuration and formatSize", () => {
  it.each([0, 1, 250, 1_000, 90_000, 300_000, 5_400_000, 86_400_001])("say %d ms so that it can be read back", (milliseconds) => {
    expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
  });

  it.each([1, 1_024, 1_536, 2 ** 30, 3 * 2 ** 40])("say %d bytes so that it can be read back", (bytes) => {
    expect(parseSize(formatSize(bytes))).toBe(bytes);
  });

  it("use the largest unit that is exact", () => {
    expect(formatDuration(300_000)).toBe("5m");
    expect(formatSize(2 ** 30)).toBe("1GiB");
  });
});
