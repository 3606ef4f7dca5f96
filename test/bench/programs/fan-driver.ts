import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { FRAME, OFFSET } from "../../../src/wire/frame.ts";
import { routedFrame } from "../../integration/hostile/raw-peer.ts";
import { BareLink } from "../support/bare-link.ts";
import { serve } from "../support/child.ts";
import { listen } from "../support/connect.ts";
import { frame, HEADER, KIND, reader } from "../support/frames.ts";

/** Frames that are written at once; each next hop gets as many of them. */
const BLOCK = 240;
const FRAME_HEADER = 48;

let block: Buffer = Buffer.alloc(0);
let write: (bytes: Buffer) => Promise<unknown> = () => Promise.resolve();
let [messages, bytes, wanted] = [0, 0, 0];
let done: () => void = () => undefined;

/** Both ends of a relay in one process, so that the relay alone has the other core: one source, and so many next hops in turn. */
serve({
  mesh: async ({
    url,
    node,
    hops,
    size,
  }: {
    readonly url: string;
    readonly node: string;
    readonly hops: number;
    readonly size: number;
  }) => {
    const name = (i: number): string => `sink-${hops}-${i % hops}`;
    for (let i = 0; i < hops; i++) {
      await BareLink.join(url, name(i), node, (chunk, _view, start, end) => {
        if (chunk[start + OFFSET.kind] === FRAME.message) count(end - start - FRAME_HEADER);
      });
    }
    const source = await BareLink.join(url, `source-${hops}`, node);
    const body = Buffer.alloc(size, 7);
    block = Buffer.concat(Array.from({ length: BLOCK }, (_, i) => routedFrame(FRAME.message, `source-${hops}`, name(i), body)));
    write = (next) => source.write(next);
  },
  /** The ports of the next hops. */
  sinks: ({ hops }: { readonly hops: number }) =>
    Promise.all(
      Array.from({ length: hops }, () =>
        listen(undefined, (socket) => {
          const read = reader((_chunk, start, end) => count(end - start - HEADER));
          socket.on("data", (chunk: Buffer) => read(chunk));
        }),
      ),
    ),
  raw: async ({ port, hops, size }: { readonly port: number; readonly hops: number; readonly size: number }) => {
    const socket: Socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    block = Buffer.concat(
      Array.from({ length: BLOCK }, (_, i) => {
        const one = frame(KIND.message, size);
        one.writeUInt32BE(i % hops, 12);
        return one;
      }),
    );
    write = async (next) => (socket.write(next) ? undefined : await once(socket, "drain"));
  },
  /** Resolves when all have come through. `blocks`: each of 240 messages. */
  flood: async ({ blocks }: { readonly blocks: number }) => {
    [messages, bytes, wanted] = [0, 0, blocks * BLOCK];
    const arrived = new Promise<void>((resolve) => (done = resolve));
    for (let i = 0; i < blocks; i++) await write(block);
    await arrived;
    return { messages, bytes };
  },
});

function count(size: number): void {
  bytes += size;
  if (++messages === wanted) done();
}
