import { abortedError, dialError, listenError } from "./errors.ts";
import { connectedPipes } from "./memory-pipe.ts";
import type { DialOptions, Listener, ListenHandlers, Pipe, Transport } from "./transport.ts";
import type { MeshUrl } from "./url.ts";

export interface MemoryHubOptions {
  /** Runs `fn` later, never at once; every delivery goes through it. Default `setImmediate`. */
  readonly schedule?: (fn: () => void) => void;
}

/** Pipes inside one process, between those that share the hub: `memory://name:port`. Nothing is kept in the module. */
export class MemoryHub implements Transport {
  readonly #schedule: (fn: () => void) => void;
  readonly #listeners = new Map<string, { readonly url: MeshUrl; readonly handlers: ListenHandlers }>();
  #nextPort = 49_152;

  constructor(options: MemoryHubOptions = {}) {
    this.#schedule = options.schedule ?? ((fn) => void setImmediate(fn));
  }

  dial(url: MeshUrl, options: DialOptions): Promise<Pipe> {
    return new Promise((resolve, reject) => {
      this.#schedule(() => {
        if (options.signal.aborted) return reject(abortedError(url, options.signal.reason));
        const listener = this.#listeners.get(keyOf(url));
        if (listener === undefined) return reject(dialError(url, Object.assign(new Error("nothing listens"), { code: "ECONNREFUSED" })));
        const from = { ...url, port: this.#freePort(), path: "/", cost: 1 };
        const [near, far] = connectedPipes(url, from, this.#schedule);
        resolve(near);
        if (listener.handlers.admit?.(from.host) === false) far.close(true);
        else listener.handlers.onPipe(far);
      });
    });
  }

  listen(url: MeshUrl, handlers: ListenHandlers): Promise<Listener> {
    const bound = url.port === 0 ? { ...url, port: this.#freePort() } : url;
    const key = keyOf(bound);
    if (this.#listeners.has(key)) return Promise.reject(listenError(bound, Object.assign(new Error("in use"), { code: "EADDRINUSE" })));
    const entry = { url: bound, handlers };
    this.#listeners.set(key, entry);
    return Promise.resolve({
      url: bound,
      close: () => {
        if (this.#listeners.get(key) === entry) this.#listeners.delete(key);
        return Promise.resolve();
      },
    });
  }

  #freePort(): number {
    const port = this.#nextPort;
    this.#nextPort = port === 65_535 ? 49_152 : port + 1;
    return port;
  }
}

function keyOf(url: MeshUrl): string {
  return `${url.host}:${url.port}`;
}
