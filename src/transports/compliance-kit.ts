import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { isMeshError, type ErrorCode, type MeshError } from "../core/errors.ts";
import type { Listener, ListenHandlers, Pipe, PipeHandlers, Transport } from "./transport.ts";
import type { MeshUrl } from "./url.ts";

export interface TransportUnderTest {
  readonly transport: Transport;
  /** To listen on, with port 0. */
  readonly url: MeshUrl;
  /** The same on IPv6, where the machine has it. */
  readonly url6?: MeshUrl;
  /** The transport has a handshake of its own on top of TCP, so a socket that never answers must time out. Default false. */
  readonly handshake?: boolean;
  /** Frees what `setup` took. */
  close?(): Promise<void>;
}

export type Case = (subject: TransportUnderTest) => Promise<void>;

/** Tests by name. */
export type Cases = Readonly<Record<string, Case>>;

/** What a pipe told, with a digest of its bytes. */
export class Recorder implements PipeHandlers {
  readonly #digest = createHash("sha256");
  readonly #waiters = new Set<() => void>();
  readonly #onData: ((chunk: Uint8Array) => void) | undefined;
  received = 0;
  drains = 0;
  closes = 0;
  error: MeshError | undefined;

  constructor(onData?: (chunk: Uint8Array) => void) {
    this.#onData = onData;
  }

  onData(chunk: Uint8Array): void {
    assert.equal(this.closes, 0, "data after the close");
    this.received += chunk.length;
    this.#digest.update(chunk);
    this.#onData?.(chunk);
    this.#wake();
  }

  onDrain(): void {
    this.drains++;
    this.#wake();
  }

  onClose(error?: MeshError): void {
    this.closes++;
    this.error = error;
    this.#wake();
  }

  digest(): string {
    return this.#digest.digest("hex");
  }

  /** Resolves when `condition` holds; looks after each event. */
  async until(what: string, condition: () => boolean): Promise<void> {
    await within(
      10_000,
      what,
      new Promise<void>((resolve) => {
        const look = (): void => {
          if (!condition()) return;
          this.#waiters.delete(look);
          resolve();
        };
        this.#waiters.add(look);
        look();
      }),
    );
  }

  closed(): Promise<void> {
    return this.until("the close", () => this.closes > 0);
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}

export interface Pair {
  readonly listener: Listener;
  readonly near: Pipe;
  readonly far: Pipe;
}

/** A listener, and one connection to it, neither end open yet. */
export async function connectPair(transport: Transport, url: MeshUrl, handlers: Partial<ListenHandlers> = {}): Promise<Pair> {
  const { listener, next } = await listenFor(transport, url, handlers);
  const [near, far] = await Promise.all([transport.dial(listener.url, { signal: new AbortController().signal }), next()]);
  return { listener, near, far };
}

/** Both ends of one connection, open, and what they are told; `end` ends all of it. */
export async function openPair(
  subject: TransportUnderTest,
  url = subject.url,
): Promise<{ near: Pipe; far: Pipe; atNear: Recorder; atFar: Recorder; end(): Promise<void> }> {
  const { listener, near, far } = await connectPair(subject.transport, url);
  const [atNear, atFar] = [new Recorder(), new Recorder()];
  near.open(atNear);
  far.open(atFar);
  const end = async (): Promise<void> => {
    near.close(true);
    far.close(true);
    await Promise.all([atNear.closed(), atFar.closed(), listener.close()]);
  };
  return { near, far, atNear, atFar, end };
}

/** A listener, and what gives its pipes one by one as they come. */
export async function listenFor(
  transport: Transport,
  url: MeshUrl,
  handlers: Partial<ListenHandlers> = {},
): Promise<{ listener: Listener; next: () => Promise<Pipe> }> {
  const arrived: Pipe[] = [];
  const waiting: ((pipe: Pipe) => void)[] = [];
  const listener = await transport.listen(url, {
    ...handlers,
    onPipe(pipe) {
      const taker = waiting.shift();
      if (taker === undefined) arrived.push(pipe);
      else taker(pipe);
    },
  });
  const next = (): Promise<Pipe> => {
    const pipe = arrived.shift();
    return pipe === undefined ? within(10_000, "a connection", new Promise((resolve) => waiting.push(resolve))) : Promise.resolve(pipe);
  };
  return { listener, next };
}

/** Writes as a good writer does: after a `false` it waits for the drain. Resolves to the digest of what it wrote. */
export async function writeAll(pipe: Pipe, recorder: Recorder, chunks: Iterable<Uint8Array>): Promise<string> {
  const digest = createHash("sha256");
  for (const chunk of chunks) {
    digest.update(chunk);
    const before = recorder.drains;
    if (!pipe.write(chunk)) await recorder.until("a drain", () => recorder.drains > before);
  }
  return digest.digest("hex");
}

/** `total` bytes in chunks of 1 to `largest`, the same for the same seed. */
export function* randomChunks(seed: number, total: number, largest: number): Generator<Uint8Array> {
  let state = seed >>> 0;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  for (let left = total; left > 0; ) {
    // Mostly small: that is where the boundaries are.
    const chunk = new Uint8Array(Math.min(left, 1 + Math.floor(random() ** 4 * largest)));
    chunk.fill(Math.floor(random() * 256));
    chunk[0] = left & 255;
    left -= chunk.length;
    yield chunk;
  }
}

export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>): Promise<MeshError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(isMeshError(error), `a MeshError, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return error;
  }
  assert.fail(`expected ${code}, but it succeeded`);
}

export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `waited ${ms} ms for ${what}` })), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** For what must not happen: a pause long enough for it to have happened. */
export function quiet(ms = 100): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
