import { concat } from "../../../src/core/bytes.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { type Advertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { BATCH_FLAG, BatchWriter } from "../../../src/wire/digest.ts";
import { FRAME, LINK_HEADER, writeLinkHeader } from "../../../src/wire/frame.ts";

/** An advertisement with nothing in it but the changes. */
export function advertisement(node: string, changes: Partial<Advertisement> = {}): Advertisement {
  return {
    node: nodeId(node),
    epoch: 1,
    sequence: 1,
    boot: "0123456789abcdef".repeat(2),
    uptime: 1_000,
    links: [],
    groups: [],
    plugins: [],
    load: { running: 0, queued: 0 },
    leaf: false,
    draining: false,
    ephemeral: false,
    withdrawn: false,
    version: "0.0.0",
    ...changes,
  };
}

/** A frame of advertisements. */
export function batch(...raws: readonly Uint8Array[]): Uint8Array {
  return frameOf(0, raws);
}

/** All that this peer has to say in the exchange on a new link: that it is linked to `to`. */
export function exchange(id: string, to: string): Uint8Array {
  return exchangeOf(encodeAdvertisement(advertisement(id, { sequence: 0, links: [{ peer: nodeId(to), cost: 1 }] })));
}

/** All that a peer has to say in the exchange on a new link. */
export function exchangeOf(...raws: readonly Uint8Array[]): Uint8Array {
  return frameOf(BATCH_FLAG.end, raws, BATCH_FLAG.exchange);
}

function frameOf(last: number, raws: readonly Uint8Array[], flags = 0): Uint8Array {
  const writer = new BatchWriter(flags);
  for (const raw of raws) writer.add(raw, 0);
  return concat(
    writer.finish(last).map((body) => {
      const head = new Uint8Array(LINK_HEADER);
      writeLinkHeader(new DataView(head.buffer), 0, LINK_HEADER + body.length, FRAME.advertisements);
      return concat([head, body]);
    }),
  );
}
