import { constants, PerformanceObserver } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { HeapRoom } from "../../../src/cli/heap-room.ts";

/** Garbage as payloads make it, at the pace of V8; prints how often the whole heap was collected. */
const CHUNK = new Uint8Array(32 * 1024);
const BURSTS = 1_500;
const EACH = 64;

let collected = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries() as { readonly detail?: unknown }[]) {
    const { kind } = entry.detail as { readonly kind: number };
    if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) collected++;
  }
}).observe({ entryTypes: ["gc"] });

// As many as that come on a slow machine too, only later.
const within = 600_000;
const room = process.argv[2] === "watched" ? new HeapRoom({ within }).watch() : undefined;
// A node's own objects: V8 leaves a smaller heap alone.
const objects = Array.from({ length: 120_000 }, (_, i) => ({ i, text: `x${i}` }));
const made: number[] = [];
for (let burst = 0; burst < BURSTS; burst++) {
  for (let i = 0; i < EACH; i++) made.push(CHUNK.slice().length);
  await pause(0);
}
room?.close();
process.stdout.write(JSON.stringify({ collected, objects: objects.length, bytes: made.reduce((sum, length) => sum + length, 0) }));
