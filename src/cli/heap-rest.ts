import { performance } from "node:perf_hooks";
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Milliseconds between two looks. */
const LOOK = 5_000;
/** So many calm looks, one after the other, before the heap is collected; twice as many before each time after it, while that does not help. */
const LOOKS = { first: 2, most: 128 } as const;
/** Share of its time below which a node is calm: keep-alives of a thousand links take some hundredths. */
const CALM = 0.15;
/** Bytes of the young generation, both halves: less is not worth a pause. V8 begins with 1 MiB, and lets it grow to 32. */
const GROWN = 12 * 1024 * 1024;
/** Bytes in use: a larger heap would make the node pause for more than some twenty milliseconds. */
const LARGE = 96 * 1024 * 1024;

export interface HeapRestOptions {
  /** The share of its time that the process was busy since the last call, 0 to 1. Default: of its event loop. */
  readonly busy?: () => number;
  /** Bytes of the young generation, and of all that is in use. Default: as V8 counts them. */
  readonly sizes?: () => { readonly young: number; readonly used: number };
  /** Collects the whole heap. Default: has V8 do it. */
  readonly collect?: () => void;
}

/**
 * Gives back what a burst has made the young generation take: up to 32 MiB, which V8 keeps although the node is idle, until its own memory
 * reducer finds a reason to look, often never. Where little has happened for ten seconds and that much is taken, the whole heap is
 * collected once, which makes V8 shrink it if little was allocated lately. A collection takes some 10 ms. For the process of the command alone, as `HeapRoom` is.
 */
export class HeapRest {
  readonly #busy: () => number;
  readonly #sizes: () => { readonly young: number; readonly used: number };
  readonly #collect: () => void;
  #calm = 0;
  #wanted: number = LOOKS.first;
  #timer: NodeJS.Timeout | undefined;

  constructor({ busy = sinceLast(), sizes = heapSizes, collect = collectAll }: HeapRestOptions = {}) {
    this.#busy = busy;
    this.#sizes = sizes;
    this.#collect = collect;
  }

  /** Watches this process until `close`. */
  watch(): this {
    this.#timer = setInterval(() => this.look(), LOOK).unref();
    return this;
  }

  /** What `watch` does each 5 s. */
  look(): void {
    this.#calm = this.#busy() < CALM ? this.#calm + 1 : 0;
    const { young, used } = this.#sizes();
    if (young < GROWN) this.#wanted = LOOKS.first;
    if (this.#calm < this.#wanted || young < GROWN || used > LARGE) return;
    this.#calm = 0;
    this.#wanted = Math.min(LOOKS.most, this.#wanted * 2);
    this.#collect();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function sinceLast(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}

function heapSizes(): { readonly young: number; readonly used: number } {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  return { young: young?.space_size ?? 0, used: getHeapStatistics().used_heap_size };
}

/** Node shows V8's `gc` to who asks for it on the command line, or to a context that is made while this flag is set. */
function collectAll(): void {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof gc === "function") gc();
}
