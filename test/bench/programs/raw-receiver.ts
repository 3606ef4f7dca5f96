import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { Batch } from "../support/batch.ts";
import type { Certificates } from "../support/certificates.ts";
import { serve } from "../support/child.ts";
import { listen } from "../support/connect.ts";
import { KIND, reader } from "../support/frames.ts";

/** What came between a first frame and the frame that ends it. */
export interface Received {
  readonly messages: number;
  readonly bytes: number;
  readonly milliseconds: number;
  /** SHA-256 of plain bytes, where it was asked for. */
  readonly digest?: string;
}

let expected = 0;
let hashed = false;
let done: ((received: Received) => void) | undefined;
let received: Promise<Received> | undefined;

/** The far end: counts messages, answers requests, and counts plain bytes. */
serve({
  start: ({ tls }: { readonly tls?: Certificates }) => listen(tls, (socket) => (expected > 0 ? countBytes(socket) : countFrames(socket))),
  /** Before a measure: what the next connection carries is frames (0), or so many bytes. */
  expect: ({ bytes, hash = false }: { readonly bytes: number; readonly hash?: boolean }) => {
    expected = bytes;
    hashed = hash;
    received = new Promise((resolve) => (done = resolve));
  },
  received: () => received,
});

function countFrames(socket: Socket): void {
  const batch = new Batch(socket);
  let [messages, bytes, began] = [0, 0, 0];
  const read = reader((chunk, start, end) => {
    const kind = chunk[start + 4];
    if (kind === KIND.message) {
      if (messages++ === 0) began = performance.now();
      bytes += end - start;
    } else if (kind === KIND.request) {
      messages++;
      chunk[start + 4] = KIND.reply;
      batch.add(chunk, start, end);
    } else if (kind === KIND.end) {
      done?.({ messages, bytes, milliseconds: performance.now() - began });
    }
  });
  socket.on("data", (chunk: Buffer) => read(chunk));
  socket.on("error", () => undefined);
}

function countBytes(socket: Socket): void {
  const wanted = expected;
  const hash = hashed ? createHash("sha256") : undefined;
  let [bytes, began] = [0, 0];
  socket.on("data", (chunk: Buffer) => {
    if (bytes === 0) began = performance.now();
    bytes += chunk.length;
    hash?.update(chunk);
    if (bytes < wanted) return;
    const milliseconds = performance.now() - began;
    done?.({ messages: 1, bytes, milliseconds, ...(hash === undefined ? {} : { digest: hash.digest("hex") }) });
  });
  socket.on("error", () => undefined);
}
