import { createHash } from "node:crypto";
import { connect, type Msg } from "@nats-io/transport-node";
import { serve } from "../support/child.ts";
import type { Received } from "./raw-receiver.ts";

let received: Promise<Received> | undefined;
let onMessage: (message: Msg) => void = () => undefined;

/** The far end of NATS: counts what comes, and answers requests. */
serve({
  start: async ({ port }: { readonly port: number }) => {
    const connection = await connect({ servers: `127.0.0.1:${port}` });
    const answer = (message: Msg): void => void message.respond(message.data);
    connection.subscribe("bench", { callback: (error, message) => (error === null ? onMessage(message) : undefined) });
    connection.subscribe("echo", { callback: (error, message) => (error === null ? answer(message) : undefined) });
    await connection.flush();
  },
  /** Before a measure: how many messages come. */
  expect: ({ messages: wanted, hash: hashed = false }: { readonly messages: number; readonly hash?: boolean }) => {
    const hash = hashed ? createHash("sha256") : undefined;
    received = new Promise((resolve) => {
      let [messages, bytes, began] = [0, 0, 0];
      onMessage = ({ data }) => {
        if (messages++ === 0) began = performance.now();
        bytes += data.length;
        hash?.update(data);
        if (messages < wanted) return;
        const milliseconds = performance.now() - began;
        resolve({ messages, bytes, milliseconds, ...(hash === undefined ? {} : { digest: hash.digest("hex") }) });
      };
    });
  },
  received: () => received,
});
