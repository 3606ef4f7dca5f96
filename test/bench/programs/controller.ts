import type { createNode, MeshNode } from "../../../src/index.ts";
import { serve } from "../support/child.ts";
import type { Certificates } from "../support/certificates.ts";
import { EndlessStream } from "../support/endless.ts";
import { payload } from "../support/payload.ts";
import { pause } from "../support/process.ts";

/** Until a stream has filled all queues on its way. */
const WARM = 500;
const GAP = 2;

let node: MeshNode | undefined;

/** A program that uses the built library, at the near end of the mesh. */
serve({
  start: async ({ peer, tls, e2e }: { readonly peer: string; readonly tls?: Certificates; readonly e2e?: "required" | "off" }) => {
    const library = (await import(new URL("../../../dist/index.js", import.meta.url).href)) as { createNode: typeof createNode };
    node = await library.createNode({
      id: "controller",
      listen: [],
      peers: [peer],
      plugins: {},
      ...(tls === undefined ? {} : { tls }),
      ...(e2e === undefined ? {} : { e2e }),
    });
    await node.reachable("worker", { timeout: 10_000 });
  },
  /** Messages from the worker, counted here: this is their far end. */
  oneWay: async ({ count, size }: { readonly count: number; readonly size: number }) => {
    const work = await ready().send("worker", "bench:flood", { count, size });
    let [messages, bytes, began] = [0, 0, 0];
    await work.forEach((response) => {
      if (messages++ === 0) began = performance.now();
      bytes += response.bytes().length;
    });
    return { messages, bytes, milliseconds: performance.now() - began };
  },
  /** The same with a promise for each message at both ends. */
  oneWayAwaited: async ({ count, size }: { readonly count: number; readonly size: number }) => {
    const work = await ready().send("worker", "bench:floodAwaited", { count, size });
    let [messages, bytes, began] = [0, 0, 0];
    for await (const response of work) {
      if (messages++ === 0) began = performance.now();
      bytes += response.bytes().length;
    }
    return { messages, bytes, milliseconds: performance.now() - began };
  },
  requests: async ({ count, size, outstanding }: { readonly count: number; readonly size: number; readonly outstanding: number }) => {
    const request = Buffer.alloc(size, 7);
    const took: number[] = [];
    let [begun, messages] = [0, 0];
    const began = performance.now();
    const lane = async (): Promise<void> => {
      while (begun < count) {
        begun++;
        const at = performance.now();
        const work = await ready().send("worker", "echo:run", request);
        for await (const response of work) if (sizeOf(response.payload) === size) messages++;
        took.push(performance.now() - at);
      }
    };
    await Promise.all(Array.from({ length: outstanding }, lane));
    return { took, messages, milliseconds: performance.now() - began };
  },
  bulk: async ({ bytes, directive }: { readonly bytes: number; readonly directive: string }) => {
    const work = await ready().send("worker", directive, payload(bytes));
    for await (const response of work) return response.json();
    return undefined;
  },
  pings: ({ count }: { readonly count: number }) => pings(count),
  busyPings: async ({ count }: { readonly count: number }) => {
    const stream = new EndlessStream(ready());
    await pause(WARM);
    const answer = await pings(count);
    await stream.stop();
    return answer;
  },
  /** What two streams, of which one began earlier, send in the same time. */
  share: async ({ milliseconds }: { readonly milliseconds: number }) => {
    const first = new EndlessStream(ready());
    await pause(WARM);
    const second = new EndlessStream(ready());
    await pause(WARM);
    const before = [first.sent, second.sent] as const;
    await pause(milliseconds);
    const sent = { first: first.sent - before[0], second: second.sent - before[1] };
    await Promise.all([first.stop(), second.stop()]);
    return sent;
  },
});

async function pings(count: number): Promise<{ readonly took: readonly number[] }> {
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    took.push((await ready().ping("worker")).rtt);
    await pause(GAP);
  }
  return { took };
}

/** Text or bytes, as the echo plugin gives them back. */
function sizeOf(payload: unknown): number {
  return typeof payload === "string" ? Buffer.byteLength(payload) : payload instanceof Uint8Array ? payload.length : -1;
}

function ready(): MeshNode {
  if (node === undefined) throw new TypeError("not started");
  return node;
}
