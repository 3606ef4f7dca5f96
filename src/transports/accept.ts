import { closeSync, openSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { devNull } from "node:os";
import type { Millis } from "../core/instant.ts";
import { acceptError, listenError } from "./errors.ts";
import type { Handshakes } from "./handshakes.ts";
import type { ListenHandlers, Listener } from "./transport.ts";
import { formatMeshUrl, type MeshUrl } from "./url.ts";

/** How often a listener that is out of descriptors looks whether there are some again. */
const TROUBLE_RETRY: Millis = 1_000;

export interface AcceptOptions {
  /** Called with a paused socket that was admitted. */
  onSocket(socket: Socket): void;
  /** Where layers above have a handshake: begun here for each socket, to be ended by them. */
  readonly handshakes?: Handshakes;
}

/** Rejects with LISTEN_FAILED. */
export async function listenTcp(url: MeshUrl, handlers: ListenHandlers, options: AcceptOptions): Promise<Listener> {
  const server = createServer({ noDelay: true, pauseOnConnect: true });
  const trouble = new Trouble(url, handlers);
  server.on("connection", (socket) => {
    // Without an address it is gone already.
    if (socket.remoteAddress === undefined) return void socket.destroy();
    // Cheapest first, and the handshake last: it may close another for this one.
    if (handlers.admit?.(hostOf(socket)) === false) {
      socket.destroy();
      handlers.onTurnedAway?.();
    } else if (!trouble.hasSpareDescriptor()) {
      socket.destroy();
    } else if (options.handshakes?.begin(socket, (error) => handlers.onRefused?.(error, remoteFacts(url, socket).remote)) === false) {
      socket.destroy();
      handlers.onTurnedAway?.();
    } else {
      options.onSocket(socket);
    }
  });
  await bind(server, url);
  server.on("error", (error) => trouble.begin(error));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : url.port;
  return {
    url: { ...url, port },
    close() {
      // The callback of server.close would wait for open connections to end; the port is free without that.
      server.close();
      trouble.end();
      options.handshakes?.destroyAll();
      return Promise.resolve();
    },
  };
}

function bind(server: Server, url: MeshUrl): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown): void => reject(listenError(url, error));
    server.once("error", onError);
    server.listen({ host: url.host, port: url.port }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

/** Who is at the other end of an accepted socket; to be called while it is connected. */
export function remoteFacts(url: MeshUrl, socket: Socket): { readonly remote: string; readonly remoteHost: string } {
  const host = hostOf(socket);
  return { remote: formatMeshUrl({ scheme: url.scheme, host, port: socket.remotePort ?? 0, path: "/", cost: 1 }), remoteHost: host };
}

/** An IPv4 address inside an IPv6 one counts as itself. */
function hostOf(socket: Socket): string {
  return (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, "");
}

/**
 * Out of descriptors, libuv accepts and closes newcomers by itself and tells nobody. So each accept looks whether two
 * more descriptors could be had; where not, the newcomer is closed, which keeps them for the store and the log.
 */
class Trouble {
  readonly #url: MeshUrl;
  readonly #handlers: ListenHandlers;
  #timer: NodeJS.Timeout | undefined;

  constructor(url: MeshUrl, handlers: ListenHandlers) {
    this.#url = url;
    this.#handlers = handlers;
  }

  hasSpareDescriptor(): boolean {
    const opened: number[] = [];
    try {
      // Two: if this process itself takes the last one, the next accept fails without a word.
      for (let i = 0; i < 2; i++) opened.push(openSync(devNull, "r"));
      return true;
    } catch (error) {
      this.begin(error);
      return false;
    } finally {
      for (const descriptor of opened) closeSync(descriptor);
    }
  }

  begin(error: unknown): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      if (!this.hasSpareDescriptor()) return;
      this.end();
      this.#handlers.onTrouble?.(undefined);
    }, TROUBLE_RETRY).unref();
    this.#handlers.onTrouble?.(acceptError(this.#url, error));
  }

  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
