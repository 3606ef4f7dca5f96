import { randomBytes } from "node:crypto";
import { nodeId } from "../../../src/core/ids.ts";
import { FRAME, OFFSET, ROUTED_HEADER, writeRoutedHeader } from "../../../src/wire/frame.ts";
import { hashNodeId } from "../../../src/core/node-hash.ts";
import { encodeMetadata, layMessage, readMessage } from "../../../src/wire/message.ts";
import { decodeNotice } from "../../../src/wire/outcome.ts";
import { BareLink } from "../support/bare-link.ts";
import { serve } from "../support/child.ts";

interface Where {
  readonly url: string;
  readonly node: string;
}
interface Plan extends Where {
  readonly to: string;
  readonly count: number;
  readonly size: number;
}

const ORIGIN = nodeId("origin");
const HOUR = 3_600_000;
/** Messages on their way to the disk at a time. */
const WINDOW = 16_384;
const BATCH = 256;

let origin: BareLink | undefined;
let parked = 0;
let failure: string | undefined;
/** The last notice that said "parked". */
let said: Buffer | undefined;
let progress: () => void = () => undefined;

/** An origin whose messages find nobody, and the destination that comes later. */
serve({
  /** Milliseconds until the node has said of each message that it is parked. */
  park: async ({ url, node, to, count, size }: Plan) => {
    origin ??= await BareLink.join(url, ORIGIN, node, (bytes, _view, start, end) => {
      if (bytes[start + OFFSET.kind] !== FRAME.notice) return;
      const body = bytes.subarray(start + ROUTED_HEADER, end);
      // Most say the same of another message: to read each anew would take the driver longer than its node takes to park it.
      if (said?.equals(body) === true) parked++;
      else hear(Buffer.from(body));
      progress();
    });
    parked = 0;
    const message = template(to, size);
    const lane = randomBytes(12);
    const began = performance.now();
    for (let sent = 0; sent < count; ) {
      const batch = Buffer.concat(Array.from({ length: Math.min(BATCH, count - sent) }, () => message));
      for (let at = 0; at < batch.length; at += message.length, sent++) {
        lane.copy(batch, at + OFFSET.id);
        batch.writeUInt32BE(sent, at + OFFSET.id + 12);
      }
      await origin.write(batch);
      await until(() => parked > sent - WINDOW);
    }
    await until(() => parked === count);
    return { messages: parked, bytes: parked * size, milliseconds: performance.now() - began };
  },
  /** The destination joins; milliseconds from its first message to its last. Each is counted once. */
  drain: async ({ url, node, to, count, size }: Plan) => {
    const seen = new Uint8Array(count);
    let [messages, bytes, began, ended] = [0, 0, 0, 0];
    const link = await BareLink.join(url, to, node, (frame, view, start, end) => {
      if (frame[start + OFFSET.kind] !== FRAME.message) return;
      if (messages === 0) began = performance.now();
      const i = view.getUint32(start + OFFSET.id + 12);
      if (seen[i] !== 0) failure = `message ${i} came twice, or never was sent`;
      seen[i] = 1;
      messages++;
      bytes += readMessage(frame, start, end).payload.length;
      if (messages === count) ended = performance.now();
      progress();
    });
    await until(() => messages === count);
    link.close();
    return { messages, bytes: bytes === count * size ? bytes : -1, milliseconds: ended - began };
  },
});

function hear(body: Buffer): void {
  const notice = decodeNotice(body);
  if (notice.type !== "parked") {
    failure = notice.type === "failed" ? notice.error.message : notice.type;
    return;
  }
  said = body;
  parked++;
}

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) {
    if (failure !== undefined) throw new Error(failure);
    await new Promise<void>((resolve) => (progress = resolve));
  }
}

/** A message whose id is still empty. */
function template(to: string, size: number): Uint8Array {
  const payload = new Uint8Array(size).fill(7);
  const frame = layMessage(encodeMetadata(ORIGIN, "echo:run", {}), { deadline: undefined, floor: 0, payload });
  const [source, destination] = [hashNodeId(ORIGIN), hashNodeId(to)];
  writeRoutedHeader(new DataView(frame.buffer), 0, frame.length, {
    kind: FRAME.message,
    flags: 0,
    hops: 0,
    destinationHigh: destination.high,
    destinationLow: destination.low,
    sourceHigh: source.high,
    sourceLow: source.low,
    ttl: HOUR,
    auxiliary: 0,
  });
  return frame;
}
