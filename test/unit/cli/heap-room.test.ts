import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HeapRoom } from "../../../src/cli/heap-room.ts";

const MIB = 1024 * 1024;
let flags: string[] = [];
const made = (used: number): HeapRoom => new HeapRoom({ setFlags: (set) => flags.push(set), used: () => used });
/** So many collections, one a millisecond. */
const collect = (room: HeapRoom, count: number, from = 0): void => {
  for (let i = 0; i < count; i++) room.collected(from + i);
};

describe("HeapRoom", () => {
  beforeEach(() => {
    flags = [];
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  test("gives a small heap room for 64 MiB when all of it is collected 16 times in two seconds", () => {
    const room = made(16 * MIB);
    collect(room, 15);
    expect(flags).toEqual([]);
    collect(room, 1, 1_999);
    expect(flags).toEqual(["--heap-growing-percent=400"]);
  });

  test("lets a large heap double", () => {
    collect(made(1024 * MIB), 16);
    expect(flags).toEqual(["--heap-growing-percent=100"]);
  });

  test("leaves V8 alone where collections are rare", () => {
    for (let i = 0, room = made(16 * MIB); i < 100; i++) room.collected(i * 134);
    expect(flags).toEqual([]);
  });

  test("gives the room back after a minute without another, and can give it again", () => {
    const room = made(16 * MIB);
    collect(room, 16);
    vi.advanceTimersByTime(59_000);
    collect(room, 1, 59_000);
    vi.advanceTimersByTime(59_000);
    expect(flags).toHaveLength(1);
    vi.advanceTimersByTime(2_000);
    expect(flags.slice(1)).toEqual(["--heap-growing-percent=0"]);
    collect(room, 16, 200_000);
    expect(flags.slice(2)).toEqual(["--heap-growing-percent=400"]);
  });

  test("gives it back at its close, once", () => {
    const room = made(16 * MIB);
    collect(room, 16);
    room.close();
    room.close();
    expect(flags.slice(1)).toEqual(["--heap-growing-percent=0"]);
  });
});
