import { Batch } from "../support/batch.ts";
import { serve } from "../support/child.ts";
import { dial, listen } from "../support/connect.ts";
import { reader } from "../support/frames.ts";

/** A relay with a next hop for each port: it looks at each frame's destination and copies it into that hop's slab. */
serve({
  start: async ({ ports }: { readonly ports: readonly number[] }) => {
    const batches = new Map<number, Batch>();
    for (const [i, port] of ports.entries()) batches.set(i, new Batch(await dial(port, undefined)));
    const full = (): boolean => [...batches.values()].some((batch) => batch.full);
    return await listen(undefined, (from) => {
      for (const batch of batches.values()) batch.onDrain = () => (full() ? undefined : from.resume());
      const read = reader((bytes, start, end) => {
        bytes[start + 5] = (bytes[start + 5] ?? 0) + 1;
        batches.get(bytes.readUInt32BE(start + 12))?.add(bytes, start, end);
      });
      from.on("data", (chunk: Buffer) => {
        read(chunk);
        if (full()) from.pause();
      });
    });
  },
});
