import type { Socket } from "node:net";
import { Batch } from "../support/batch.ts";
import { DESTINATION, reader } from "../support/frames.ts";
import type { Certificates } from "../support/certificates.ts";
import { serve } from "../support/child.ts";
import { dial, listen } from "../support/connect.ts";

/** Whom the relay knows; a lookup for each frame, as in a node. */
const KNOWN = new Map<number, number>([[DESTINATION.low, DESTINATION.high]]);

/** A relay between whoever connects and `port`: mode "parse" looks at each frame and copies it, "splice" hands bytes on. */
serve({
  start: ({ port, mode, tls }: { readonly port: number; readonly mode: "parse" | "splice"; readonly tls?: Certificates }) =>
    listen(tls, (from) => {
      from.pause();
      void dial(port, tls).then((to) => {
        const join = mode === "parse" ? forward : splice;
        join(from, to);
        join(to, from);
        from.resume();
      });
    }),
});

function splice(from: Socket, to: Socket): void {
  from.on("error", () => to.destroy());
  from.pipe(to);
}

function forward(from: Socket, to: Socket): void {
  const batch = new Batch(to);
  batch.onDrain = () => from.resume();
  const read = reader((bytes, start, end) => {
    if (KNOWN.get(bytes.readUInt32BE(start + 12)) !== bytes.readUInt32BE(start + 8)) return;
    bytes[start + 5] = (bytes[start + 5] ?? 0) + 1;
    batch.add(bytes, start, end);
  });
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroy());
  from.on("data", (chunk: Buffer) => {
    read(chunk);
    if (batch.full) from.pause();
  });
}
