import { isIP, type OnReadOpts, type Socket } from "node:net";
import { type ConnectionOptions, connect, createServer, type Server, type TLSSocket } from "node:tls";
import { MeshError } from "../core/errors.ts";
import { TIMES } from "../core/limits.ts";
import { listenTcp, remoteFacts } from "./accept.ts";
import { feedFromEvents } from "./adopt.ts";
import { bounded, socketReady } from "./dial.ts";
import { Handshakes } from "./handshakes.ts";
import { Inlet } from "./inlet.ts";
import { SocketPipe } from "./socket-pipe.ts";
import { contextOptions, secureContext, type TlsOptions } from "./tls-options.ts";
import type { DialOptions, Listener, ListenHandlers, Pipe, Transport } from "./transport.ts";
import { formatMeshUrl, type MeshUrl } from "./url.ts";

/** The certificates in use, and who must hear when they change. */
export class TlsSettings {
  #current: TlsOptions;
  readonly #listeners = new Set<(options: TlsOptions) => void>();

  /** Throws CONFIG_INVALID. */
  constructor(options: TlsOptions) {
    secureContext(options);
    this.#current = options;
  }

  get current(): TlsOptions {
    return this.#current;
  }

  /** From now on for every new connection; those that are open stay. Throws CONFIG_INVALID and keeps the old ones. */
  replace(options: TlsOptions): void {
    secureContext(options);
    this.#current = options;
    for (const listener of this.#listeners) listener(options);
  }

  /** Returns what ends it. */
  onChange(listener: (options: TlsOptions) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** TLS 1.3 over TCP; mutual where there is a `ca`. */
export class TlsTransport implements Transport {
  readonly #settings: TlsSettings;

  constructor(settings: TlsSettings) {
    this.#settings = settings;
  }

  dial(url: MeshUrl, options: DialOptions): Promise<Pipe> {
    return bounded(url, options, async (signal) => {
      const inlet = new Inlet();
      const socket = connectTls(url, this.#settings.current, { onread: inlet.onread });
      const pipe = new SocketPipe(socket, inlet, { remote: formatMeshUrl(url), remoteHost: url.host, secure: true });
      await socketReady(socket, "secureConnect", signal);
      return pipe;
    });
  }

  listen(url: MeshUrl, handlers: ListenHandlers): Promise<Listener> {
    const handshakes = new Handshakes();
    return listenTls(url, handlers, this.#settings, handshakes, (socket) => {
      handshakes.established(socket);
      const inlet = new Inlet();
      handlers.onPipe(new SocketPipe(feedFromEvents(socket, inlet), inlet, { ...remoteFacts(url, socket), secure: true }));
    });
  }
}

/** Starts a TLS connection to the host of `url`: a new one, or over `over.socket`. */
export function connectTls(url: MeshUrl, tls: TlsOptions, over: { readonly socket: Socket } | { readonly onread: OnReadOpts }): TLSSocket {
  const options: ConnectionOptions & { onread?: OnReadOpts } = {
    ...contextOptions(tls),
    ...over,
    ...("socket" in over ? {} : { port: url.port }),
    host: url.host,
    servername: isIP(url.host) === 0 ? url.host : "",
    ...(tls.verifyHost === false && { checkServerIdentity: () => undefined }),
  };
  return connect(options).setNoDelay(true);
}

/** Accepts TCP, then TLS, then calls `onSecure`, who ends the socket's handshake. Rejects with LISTEN_FAILED. */
export async function listenTls(
  url: MeshUrl,
  handlers: ListenHandlers,
  settings: TlsSettings,
  handshakes: Handshakes,
  onSecure: (socket: TLSSocket) => void,
): Promise<Listener> {
  let server = serverOf(url, settings.current).on("secureConnection", onSecure);
  const listener = await listenTcp(url, handlers, {
    handshakes,
    // Not listening itself, the TLS server is replaced as a whole when the certificates change.
    onSocket: (socket) => server.emit("connection", socket),
  });
  const stopWatching = settings.onChange((options) => {
    server = serverOf(url, options).on("secureConnection", onSecure);
  });
  return {
    url: listener.url,
    close() {
      stopWatching();
      return listener.close();
    },
  };
}

function serverOf(url: MeshUrl, options: TlsOptions): Server {
  if (options.cert === undefined) {
    throw new MeshError("LISTEN_FAILED", `cannot listen on ${formatMeshUrl(url)}: it needs a certificate, so give one and its key`);
  }
  const mutual = options.ca !== undefined;
  return createServer({ ...contextOptions(options), requestCert: mutual, rejectUnauthorized: mutual, handshakeTimeout: TIMES.greeting });
}
