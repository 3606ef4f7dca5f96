import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import { MeshError } from "../core/errors.ts";
import { listenTcp, remoteFacts } from "./accept.ts";
import { bounded, socketReady } from "./dial.ts";
import { Handshakes } from "./handshakes.ts";
import { authorityOf, connectThrough, proxyFor } from "./proxy.ts";
import type { Proof } from "./socket-pipe.ts";
import { connectTls, listenTls, proofOf, type TlsSettings } from "./tls.ts";
import type { DialOptions, Listener, ListenHandlers, Pipe, Transport } from "./transport.ts";
import { formatMeshUrl, type MeshUrl } from "./url.ts";
import { MAX_MESSAGE, WsPipe } from "./ws-pipe.ts";

export interface WsOptions {
  /** Sent with each dial, for what stands before the node: `Authorization` and the like. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Web origins whose pages may connect, as `https://console.example`. Default none: a page is no node. */
  readonly origins?: readonly string[];
}

/** WebSockets, plain and over TLS. */
export class WsTransport implements Transport {
  readonly #settings: TlsSettings;
  readonly #options: WsOptions;

  constructor(settings: TlsSettings, options: WsOptions = {}) {
    this.#settings = settings;
    this.#options = options;
  }

  dial(url: MeshUrl, options: DialOptions): Promise<Pipe> {
    return bounded(url, options, async (signal) => {
      const { socket, proof } = await this.#connect(url, signal);
      const ws = new WebSocket(`${url.scheme}://${authorityOf(url)}${url.path}`, {
        createConnection: () => socket,
        headers: this.#options.headers,
        perMessageDeflate: false,
        maxPayload: MAX_MESSAGE,
      });
      const pipe = new WsPipe(ws, { remote: formatMeshUrl(url), remoteHost: url.host, secure: url.scheme === "wss", proof });
      await opened(ws, url, signal);
      return pipe;
    });
  }

  async #connect(url: MeshUrl, signal: AbortSignal): Promise<{ readonly socket: Socket; readonly proof: Proof | undefined }> {
    const proxy = proxyFor(url);
    let socket: Socket;
    if (proxy === undefined) {
      socket = connect({ host: url.host, port: url.port, noDelay: true });
      await socketReady(socket, "connect", signal);
    } else {
      socket = await connectThrough(proxy, url, signal);
    }
    if (url.scheme !== "wss") return { socket, proof: undefined };
    const tls = this.#settings.current;
    const secured = connectTls(url, tls, { socket });
    await socketReady(secured, "secureConnect", signal);
    return { socket: secured, proof: proofOf(secured, tls) };
  }

  listen(url: MeshUrl, handlers: ListenHandlers): Promise<Listener> {
    const handshakes = new Handshakes();
    const proofs = new WeakMap<Socket, Proof>();
    const upgrades = upgradeServer(url, this.#options.origins ?? [], (ws, socket) => {
      handshakes.established(socket);
      handlers.onPipe(new WsPipe(ws, { ...remoteFacts(url, socket), secure: url.scheme === "wss", proof: proofs.get(socket) }));
    });
    // The HTTP server reads what is handed to it; it does not listen itself.
    const serve = (socket: Socket): void => {
      upgrades.emit("connection", socket);
      socket.resume();
    };
    if (url.scheme === "wss") {
      return listenTls(url, handlers, this.#settings, handshakes, (socket, proof) => {
        if (proof !== undefined) proofs.set(socket, proof);
        serve(socket);
      });
    }
    return listenTcp(url, handlers, { handshakes, onSocket: serve });
  }
}

function opened(ws: WebSocket, url: MeshUrl, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => signal.removeEventListener("abort", onAbort);
    const onAbort = (): void => {
      settle();
      ws.terminate();
      reject(signal.reason);
    };
    ws.once("open", () => {
      settle();
      resolve();
    });
    ws.once("error", (error) => {
      settle();
      reject(error);
    });
    ws.once("unexpected-response", (request, response) => {
      settle();
      request.destroy();
      const answer = `${response.statusCode} ${STATUS_CODES[response.statusCode ?? 0] ?? ""}`.trim();
      reject(
        new MeshError(
          "CONNECT_FAILED",
          `cannot connect to ${formatMeshUrl(url)}: it answered ${answer}, so no node is there: is the path right?`,
        ),
      );
    });
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
}

/** An HTTP server that knows the WebSocket handshake, and answers 426 to all else. */
function upgradeServer(url: MeshUrl, origins: readonly string[], onOpen: (ws: WebSocket, socket: Socket) => void): Server {
  const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: MAX_MESSAGE });
  const server = createServer((_request, response) => {
    response.writeHead(426, { Upgrade: "websocket", Connection: "close, upgrade", "Content-Type": "text/plain" });
    response.end("This is a node of a mesh: use a WebSocket.\n");
  });
  return server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = refusalOf(request, url, origins);
    if (refusal === undefined) sockets.handleUpgrade(request, socket, head, (ws) => onOpen(ws, request.socket));
    else socket.end(`HTTP/1.1 ${refusal} ${STATUS_CODES[refusal]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });
}

function refusalOf(request: IncomingMessage, url: MeshUrl, origins: readonly string[]): number | undefined {
  const { origin } = request.headers;
  if (origin !== undefined && !origins.includes(origin)) return 403;
  const path = request.url?.split("?", 1)[0];
  return url.path === "/" || path === url.path ? undefined : 404;
}
