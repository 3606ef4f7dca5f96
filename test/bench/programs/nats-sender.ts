import { connect, type NatsConnection } from "@nats-io/transport-node";
import { serve } from "../support/child.ts";
import { payload } from "../support/payload.ts";

/** What is published between two flushes, of which one is always on its way. */
const WINDOW = 512 * 1024;

let connection: NatsConnection | undefined;

/** The near end of NATS. */
serve({
  start: async ({ port }: { readonly port: number }) => {
    connection = await connect({ servers: `127.0.0.1:${port}` });
  },
  oneWay: ({ count, size }: { readonly count: number; readonly size: number }) => {
    const message = Buffer.alloc(size, 7);
    return publish(
      (function* () {
        for (let i = 0; i < count; i++) yield message;
      })(),
    );
  },
  bulk: ({ bytes }: { readonly bytes: number }) => publish(payload(bytes)),
  requests: async ({ count, size, outstanding }: { readonly count: number; readonly size: number; readonly outstanding: number }) => {
    const request = Buffer.alloc(size, 7);
    const took: number[] = [];
    let [begun, messages] = [0, 0];
    const began = performance.now();
    const lane = async (): Promise<void> => {
      while (begun < count) {
        begun++;
        const at = performance.now();
        const answer = await ready().request("echo", request, { timeout: 10_000 });
        if (answer.data.length === size) messages++;
        took.push(performance.now() - at);
      }
    };
    await Promise.all(Array.from({ length: outstanding }, lane));
    return { took, messages, milliseconds: performance.now() - began };
  },
});

async function publish(messages: Iterable<Uint8Array>): Promise<void> {
  let [waiting, before] = [0, Promise.resolve()];
  for (const message of messages) {
    ready().publish("bench", message);
    waiting += message.length;
    if (waiting < WINDOW) continue;
    waiting = 0;
    await before;
    before = ready().flush();
  }
  await ready().flush();
}

function ready(): NatsConnection {
  if (connection === undefined) throw new TypeError("not started");
  return connection;
}
