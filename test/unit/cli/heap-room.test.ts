import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HeapRoom } from "../../../src/cli/heap-room.ts";

const MIB = 1024 * 1024;
let flags: string[] = [];
const made = (used: number): HeapRoom => new HeapRoom({ setFlags: (set) => flags.push(set), used: () => used });
const collect = (room: HeapRoom, ...at: number[]): void => {
  for (const time of at) room.collected(time);
};

describe("HeapRoom", () => {
  beforeEach(() => {
    flags = [];
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  test("gives a small heap room for 64 MiB when all of it is collected four times in two seconds", () => {
    const room = made(16 * MIB);
    collect(room, 0, 100, 200);
    expect(flags).toEqual([]);
    collect(room, 300);
    expect(flags).toEqual(["--heap-growing-percent=400"]);
  });

  test("lets a large heap double", () => {
    collect(made(1024 * MIB), 0, 1, 2, 3);
    expect(flags).toEqual(["--heap-growing-percent=100"]);
  });

  test("leaves V8 alone where collections are rare", () => {
    collect(made(16 * MIB), 0, 1_000, 2_000, 3_000, 4_000, 5_000);
    expect(flags).toEqual([]);
  });

  test("gives the room back after a minute without another, and can give it again", () => {
    const room = made(16 * MIB);
    collect(room, 0, 1, 2, 3);
    vi.advanceTimersByTime(59_000);
    collect(room, 59_000);
    vi.advanceTimersByTime(59_000);
    expect(flags).toHaveLength(1);
    vi.advanceTimersByTime(2_000);
    expect(flags.slice(1)).toEqual(["--heap-growing-percent=0"]);
    collect(room, 200_000, 200_001, 200_002, 200_003);
    expect(flags.slice(2)).toEqual(["--heap-growing-percent=400"]);
  });

  test("gives it back at its close, once", () => {
    const room = made(16 * MIB);
    collect(room, 0, 1, 2, 3);
    room.close();
    room.close();
    expect(flags.slice(1)).toEqual(["--heap-growing-percent=0"]);
  });
});
