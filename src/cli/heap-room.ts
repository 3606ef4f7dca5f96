import { constants, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";

/** So many collections of the whole heap within two seconds are no use to anybody; a heap that grows has some five. */
const MANY = 16;
const WITHIN = 2_000;
/** Bytes that the heap may grow before the next: two young generations of bytes outside of it. */
const ROOM = 64 * 1024 * 1024;
/** Growth that V8 itself allows a heap whose program is busy. */
const LEAST = 100;
/** Milliseconds without another until V8 decides by itself again. */
const CALM = 60_000;

export interface HeapRoomOptions {
  /** Default: sets a flag of V8. */
  readonly setFlags?: (flags: string) => void;
  /** Bytes in use. Default: as V8 counts them. */
  readonly used?: () => number;
  /** Milliseconds in which many collections are too many. Default 2 s. */
  readonly within?: number;
}

/**
 * Keeps V8 from collecting the whole heap again and again while payloads stream through a node. After some idle seconds V8 lets a heap
 * grow by a few MiB at a time, and it counts the bytes of payloads, although most are garbage of the young generation, as growth: it then
 * collects everything each 14 MiB, which takes three quarters of the processor and makes pings wait for 20 ms. When that is seen, the heap is
 * given room for 64 MiB of them until it has been calm for a minute. For the process of the command alone: a program that uses the library
 * has its own flags.
 */
export class HeapRoom {
  readonly #set: (flags: string) => void;
  readonly #used: () => number;
  readonly #within: number;
  #times: number[] = [];
  #calm: NodeJS.Timeout | undefined;
  #observer: PerformanceObserver | undefined;

  constructor({ setFlags = setFlagsFromString, used = () => getHeapStatistics().used_heap_size, within = WITHIN }: HeapRoomOptions = {}) {
    this.#within = within;
    this.#set = setFlags;
    this.#used = used;
  }

  /** Watches this process until `close`. */
  watch(): this {
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (isFull(entry)) this.collected(entry.startTime);
    });
    this.#observer.observe({ entryTypes: ["gc"] });
    return this;
  }

  /** The whole heap was collected, at so many milliseconds. */
  collected(at: number): void {
    this.#times = [...this.#times.filter((time) => at - time < this.#within), at];
    if (this.#calm !== undefined) return void this.#calm.refresh();
    if (this.#times.length < MANY) return;
    this.#set(`--heap-growing-percent=${Math.max(LEAST, Math.ceil((ROOM / this.#used()) * 100))}`);
    this.#calm = setTimeout(() => this.#giveBack(), CALM).unref();
  }

  close(): void {
    this.#observer?.disconnect();
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#calm === undefined) return;
    clearTimeout(this.#calm);
    this.#calm = undefined;
    this.#set("--heap-growing-percent=0");
  }
}

function isFull(entry: PerformanceEntry & { readonly detail?: unknown }): boolean {
  const { detail } = entry;
  return typeof detail === "object" && detail !== null && "kind" in detail && detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
