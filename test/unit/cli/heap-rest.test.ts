import { afterEach, describe, expect, test, vi } from "vitest";
import { HeapRest } from "../../../src/cli/heap-rest.ts";

const MIB = 1024 * 1024;
interface Heap {
  busy: number;
  young: number;
  used: number;
  collected: number;
}
/** An idle node after a burst. */
const afterBurst = (more: Partial<Heap> = {}): Heap => ({ busy: 0, young: 32 * MIB, used: 20 * MIB, collected: 0, ...more });
const made = (heap: Heap): HeapRest => new HeapRest({ busy: () => heap.busy, sizes: () => heap, collect: () => void heap.collected++ });
const looks = (rest: HeapRest, count: number): void => {
  for (let i = 0; i < count; i++) rest.look();
};

describe("HeapRest", () => {
  afterEach(() => void vi.useRealTimers());

  test("has a heap whose young generation has grown collected at the second calm look, and not at each after it", () => {
    const heap = afterBurst({ busy: 0.01 });
    const rest = made(heap);
    looks(rest, 1);
    expect(heap.collected).toBe(0);
    looks(rest, 1);
    expect(heap.collected).toBe(1);
    heap.young = MIB;
    looks(rest, 10);
    expect(heap.collected).toBe(1);
  });

  test("waits while the node is busy, also now and then", () => {
    const heap = afterBurst({ busy: 0.5 });
    const rest = made(heap);
    for (let i = 0; i < 20; i++) {
      heap.busy = i % 2 === 0 ? 0.5 : 0.01;
      rest.look();
    }
    expect(heap.collected).toBe(0);
  });

  test.each([
    ["a young generation that is small", { young: 8 * MIB, used: 20 * MIB }],
    ["a heap that is large", { young: 32 * MIB, used: 200 * MIB }],
  ])("leaves %s", (_, sizes) => {
    const heap = afterBurst(sizes);
    looks(made(heap), 10);
    expect(heap.collected).toBe(0);
  });

  test("looks each 5 s until its close", () => {
    vi.useFakeTimers();
    const heap = afterBurst();
    const rest = made(heap).watch();
    vi.advanceTimersByTime(9_000);
    expect(heap.collected).toBe(0);
    vi.advanceTimersByTime(1_000);
    expect(heap.collected).toBe(1);
    rest.close();
    vi.advanceTimersByTime(60_000);
    expect(heap.collected).toBe(1);
  });

  test("waits twice as long each time that it did not help, up to ten minutes and 40 s", () => {
    const heap = afterBurst();
    const rest = made(heap);
    looks(rest, 2 + 4 + 8 + 16 + 32 + 64 + 128);
    expect(heap.collected).toBe(7);
    looks(rest, 127);
    expect(heap.collected).toBe(7);
    looks(rest, 1);
    expect(heap.collected).toBe(8);
    heap.young = MIB;
    looks(rest, 1);
    heap.young = 32 * MIB;
    looks(rest, 1);
    expect(heap.collected).toBe(9);
  });
});
