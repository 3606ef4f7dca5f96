import { once } from "node:events";
import type { Socket } from "node:net";
import { Batch } from "../support/batch.ts";
import type { Certificates } from "../support/certificates.ts";
import { serve } from "../support/child.ts";
import { dial } from "../support/connect.ts";
import { frame, KIND, reader } from "../support/frames.ts";
import { payload } from "../support/payload.ts";

interface Plan {
  readonly port: number;
  readonly count: number;
  readonly size: number;
}

let tls: Certificates | undefined;
let last: Socket | undefined;

/** The near end of the raw contenders; a connection for each measure. */
serve({
  start: (given: { readonly tls?: Certificates }) => {
    tls = given.tls;
  },
  oneWay: async ({ port, count, size }: Plan) => {
    const socket = await open(port);
    const batch = new Batch(socket);
    const message = frame(KIND.message, size);
    for (let sent = 0; sent < count; sent++) {
      batch.add(message, 0, message.length);
      if (batch.full) await once(socket, "drain");
    }
    const end = frame(KIND.end, 0);
    batch.add(end, 0, end.length);
    batch.flush();
  },
  requests: async ({ port, count, size, outstanding }: Plan & { readonly outstanding: number }) => {
    const socket = await open(port);
    const batch = new Batch(socket);
    const request = frame(KIND.request, size);
    const sentAt: number[] = [];
    const took: number[] = [];
    const ask = (): void => {
      sentAt.push(performance.now());
      batch.add(request, 0, request.length);
      if (outstanding === 1) batch.flush();
    };
    const began = performance.now();
    await new Promise<void>((resolve) => {
      const read = reader(() => {
        took.push(performance.now() - (sentAt[took.length] ?? 0));
        if (sentAt.length < count) ask();
        if (took.length === count) resolve();
      });
      socket.on("data", (chunk: Buffer) => read(chunk));
      for (let i = 0; i < Math.min(outstanding, count); i++) ask();
    });
    const milliseconds = performance.now() - began;
    const end = frame(KIND.end, 0);
    batch.add(end, 0, end.length);
    batch.flush();
    return { took, milliseconds };
  },
  bulk: async ({ port, bytes }: { readonly port: number; readonly bytes: number }) => {
    const socket = await open(port);
    for (const chunk of payload(bytes)) if (!socket.write(chunk)) await once(socket, "drain");
  },
});

async function open(port: number): Promise<Socket> {
  last?.destroy();
  last = await dial(port, tls);
  return last;
}
