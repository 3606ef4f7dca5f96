// A controller in a process of its own, which streams what it is asked to. It is compiled alone, so it imports types only.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { createNode, MeshNode } from "../../../src/index.ts";
import type { Asked, Questions, StreamReport } from "./questions.ts";

const PERIOD = 251;
/** As the echo plugin's source makes them: the byte at offset n is n % 251. */
const PATTERN = Buffer.from(Uint8Array.from({ length: PERIOD * 130 }, (_, at) => at % PERIOD));

/** How one stream goes on, from its first byte to its last. */
class Progress {
  bytes = 0;
  readonly #hash = createHash("sha256");
  readonly #began = performance.now();
  readonly #waiting: { readonly bytes: number; readonly reached: () => void }[] = [];
  #last = this.#began;
  #pause = 0;
  #pauseAt = 0;

  add(bytes: Uint8Array): void {
    const now = performance.now();
    if (this.bytes > 0 && now - this.#last > this.#pause) {
      this.#pause = now - this.#last;
      this.#pauseAt = this.bytes;
    }
    this.#last = now;
    this.#hash.update(bytes);
    this.bytes += bytes.length;
    while (this.#waiting[0] !== undefined && this.#waiting[0].bytes <= this.bytes) this.#waiting.shift()?.reached();
  }

  /** Waits until so many bytes a second are not exceeded since the first; undefined: as fast as it goes. */
  async keepTo(rate: number | undefined): Promise<void> {
    const ahead = rate === undefined ? 0 : (this.bytes / rate) * 1_000 - (performance.now() - this.#began);
    if (ahead >= 1) await wait(ahead);
  }

  reach(bytes: number): Promise<void> {
    if (bytes <= this.bytes) return Promise.resolve();
    return new Promise((reached) => {
      this.#waiting.push({ bytes, reached });
      this.#waiting.sort((a, b) => a.bytes - b.bytes);
    });
  }

  report(): StreamReport {
    const { bytes } = this;
    const milliseconds = performance.now() - this.#began;
    return { bytes, sha256: this.#hash.digest("hex"), milliseconds, pause: this.#pause, pauseAt: this.#pauseAt };
  }
}

let node: MeshNode | undefined;
const streams = new Map<string, Progress>();

const handlers: Questions = {
  async start({ library, id, peers, worker }) {
    const { createNode: create } = (await import(library)) as { createNode: typeof createNode };
    node = await create({ id, listen: [], peers, plugins: {}, log: { level: "silent" } });
    await node.reachable(worker, { timeout: 20_000 });
  },
  async upload({ stream, to, bytes, rate }) {
    const progress = new Progress();
    streams.set(stream, progress);
    async function* payload(): AsyncGenerator<Buffer> {
      for (let left = bytes; left > 0; left -= PATTERN.length) {
        const part = left < PATTERN.length ? PATTERN.subarray(0, left) : PATTERN;
        progress.add(part);
        yield part;
        await progress.keepTo(rate);
      }
    }
    const work = await mesh().send(to, "echo:sink", payload());
    for await (const response of work) {
      const sunk = response.json() as { readonly bytes: number; readonly sha256: string };
      return { ...progress.report(), ...sunk };
    }
    throw new Error("the sink did not answer");
  },
  async download({ stream, to, bytes, rate }) {
    const progress = new Progress();
    streams.set(stream, progress);
    const work = await mesh().send(to, "echo:source", { bytes });
    for await (const response of work) {
      for await (const part of response.stream()) {
        const piece = part as Buffer;
        progress.add(piece);
        await progress.keepTo(rate);
      }
    }
    return progress.report();
  },
  async reached({ stream, bytes }) {
    while (!streams.has(stream)) await wait(1);
    await streams.get(stream)?.reach(bytes);
  },
  bytes: ({ stream }) => Promise.resolve(streams.get(stream)?.bytes ?? 0),
  async pings({ to, port, count, interval }) {
    const took: { mesh: number[]; raw: number[] } = { mesh: [], raw: [] };
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    for (let i = 0; i < count; i++) {
      took.mesh.push((await mesh().ping(to)).rtt);
      await wait(interval);
      const sent = performance.now();
      socket.write("x");
      await once(socket, "data");
      took.raw.push(performance.now() - sent);
      await wait(interval);
    }
    socket.destroy();
    return took;
  },
  via: ({ to }) =>
    Promise.resolve(
      mesh()
        .status()
        .nodes.find(({ id }) => id === to)?.via,
    ),
};

function mesh(): MeshNode {
  if (node === undefined) throw new Error("not started");
  return node;
}

process.on("disconnect", () => process.exit(0));
process.on("message", ({ number, what, argument }: Asked) => {
  const answer = handlers[what] as (argument: unknown) => Promise<unknown>;
  answer(argument).then(
    (result) => process.send?.({ number, result }),
    (error: unknown) => process.send?.({ number, error: String(error) }),
  );
});
