import { HeapRest } from "./heap-rest.ts";
import { HeapRoom } from "./heap-room.ts";

/** What watches over the heap of a node's process, until each is closed. */
export function watchHeap(): readonly { close(): void }[] {
  return [new HeapRoom().watch(), new HeapRest().watch()];
}
