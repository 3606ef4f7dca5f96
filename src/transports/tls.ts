import { constants } from "node:crypto";
import { isIP, type OnReadOpts, type Socket } from "node:net";
import { type ConnectionOptions, connect, createServer, type Server, type TLSSocket } from "node:tls";
import { MeshError, toMeshError } from "../core/errors.ts";
import { TIMES } from "../core/limits.ts";
import { listenTcp, remoteFacts } from "./accept.ts";
import { feedSecure } from "./adopt.ts";
import { answerAsk } from "./ask.ts";
import { bounded, socketReady } from "./dial.ts";
import { Handshakes } from "./handshakes.ts";
import { Inlet } from "./inlet.ts";
import { type Proof, SocketPipe } from "./socket-pipe.ts";
import { contextOptions, type TlsOptions } from "./tls-options.ts";
import type { TlsSettings } from "./tls-settings.ts";
import type { DialOptions, Listener, ListenHandlers, Pipe, Transport } from "./transport.ts";
import { formatMeshUrl, type MeshUrl } from "./url.ts";

/** TLS 1.3 over TCP; mutual where there is a `ca`. */
export class TlsTransport implements Transport {
  readonly #settings: TlsSettings;

  constructor(settings: TlsSettings) {
    this.#settings = settings;
  }

  dial(url: MeshUrl, options: DialOptions): Promise<Pipe> {
    return bounded(url, options, (signal) => dialTls(url, this.#settings.current, signal));
  }

  listen(url: MeshUrl, handlers: ListenHandlers): Promise<Listener> {
    const handshakes = new Handshakes();
    return listenTls(url, handlers, this.#settings, handshakes, (socket, proof) => {
      handshakes.established(socket);
      const inlet = new Inlet();
      handlers.onPipe(new SocketPipe(feedSecure(socket, inlet), inlet, { ...remoteFacts(url, socket), secure: true, proof }));
    });
  }
}

/** A TLS connection to the host of `url`, whatever its scheme. */
export async function dialTls(url: MeshUrl, tls: TlsOptions, signal: AbortSignal): Promise<SocketPipe> {
  const inlet = new Inlet();
  const socket = connectTls(url, tls, { onread: inlet.onread });
  const pipe = new SocketPipe(socket, inlet, { remote: formatMeshUrl(url), remoteHost: url.host, secure: true });
  await socketReady(socket, "secureConnect", signal);
  pipe.proof = proofOf(socket, tls);
  return pipe;
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

/** Whom the certificate of the other end names; undefined where names do not count. Ends the connection where it throws. */
export function proofOf(socket: TLSSocket, { nodeOf }: TlsOptions): Proof | undefined {
  if (nodeOf === undefined) return undefined;
  const certificate = socket.getPeerX509Certificate();
  try {
    if (certificate !== undefined) {
      const certified = nodeOf(certificate);
      return certified === undefined ? undefined : { certified, certificate };
    }
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.destroy();
  throw new MeshError("CERTIFICATE_INVALID", "the other end has shown no certificate");
}

type OnSecure = (socket: TLSSocket, proof: Proof | undefined) => void;

/** Accepts TCP, then TLS, then calls `onSecure`, who ends the socket's handshake. Rejects with LISTEN_FAILED. */
export async function listenTls(
  url: MeshUrl,
  handlers: ListenHandlers,
  settings: TlsSettings,
  handshakes: Handshakes,
  onSecure: OnSecure,
): Promise<Listener> {
  let server = serverOf(url, settings.current, handlers, onSecure);
  const listener = await listenTcp(url, handlers, {
    handshakes,
    // Not listening itself, the TLS server is replaced as a whole when the certificates change.
    onSocket: (socket) => server.emit("connection", socket),
  });
  const stopWatching = settings.onChange((options) => {
    server = serverOf(url, options, handlers, onSecure);
  });
  return {
    url: listener.url,
    close() {
      stopWatching();
      return listener.close();
    },
  };
}

function serverOf(url: MeshUrl, options: TlsOptions, handlers: ListenHandlers, onSecure: OnSecure): Server {
  if (options.cert === undefined) {
    throw new MeshError("LISTEN_FAILED", `cannot listen on ${formatMeshUrl(url)}: it needs a certificate, so give one and its key`);
  }
  const mutual = options.ca !== undefined;
  const { asks } = options;
  const server = createServer({
    ...contextOptions(options),
    requestCert: mutual,
    // Who asks to be let in has no certificate yet; all others are looked at below.
    rejectUnauthorized: mutual && asks === undefined,
    // A session that is taken up again shows no certificate, and Node would take it for one that did.
    secureOptions: constants.SSL_OP_NO_TICKET,
    handshakeTimeout: TIMES.greeting,
    ...(asks !== undefined && {
      ALPNCallback: ({ protocols }: { readonly protocols: readonly string[] }) =>
        protocols.includes(asks.protocol) ? asks.protocol : protocols[0],
    }),
  });
  return server.on("secureConnection", (socket) => {
    if (asks !== undefined && socket.alpnProtocol === asks.protocol) return answerAsk(socket, asks, remoteFacts(url, socket).remoteHost);
    const { remote } = remoteFacts(url, socket);
    try {
      if (mutual && !isAuthorized(socket)) throw unauthorized(socket);
      onSecure(socket, proofOf(socket, options));
    } catch (error) {
      socket.destroy();
      handlers.onRefused?.(toMeshError(error), remote);
    }
  });
}

function isAuthorized(socket: TLSSocket): boolean {
  return socket.authorized && !socket.isSessionReused() && socket.getPeerX509Certificate() !== undefined;
}

function unauthorized({ authorizationError }: TLSSocket): MeshError {
  const reason = typeof authorizationError === "string" ? authorizationError : authorizationError?.message;
  return new MeshError("CERTIFICATE_INVALID", "the other end has no certificate of the authority", { data: { reason: reason ?? "none" } });
}
