import { type ClientRequestArgs, createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { WebSocket, WebSocketServer } from "ws";
import { MeshError } from "../core/errors.ts";
import { listenTcp, remoteFacts } from "./accept.ts";
import { adopt, feedFromEvents, feedSecure } from "./adopt.ts";
import { bounded, socketReady } from "./dial.ts";
import { Handshakes } from "./handshakes.ts";
import { Inlet } from "./inlet.ts";
import { authorityOf, connectThrough, proxyFor } from "./proxy.ts";
import { type Proof, SocketPipe } from "./socket-pipe.ts";
import { dialTcp } from "./tcp.ts";
import { connectTls, dialTls, listenTls, proofOf } from "./tls.ts";
import type { TlsSettings } from "./tls-settings.ts";
import type { DialOptions, Listener, ListenHandlers, Pipe, Transport } from "./transport.ts";
import { formatMeshUrl, type MeshUrl } from "./url.ts";
import { MAX_MESSAGE } from "./ws-frames.ts";
import { WsPipe } from "./ws-pipe.ts";
import { WsStream } from "./ws-stream.ts";

export interface WsOptions {
  /** Sent with each dial, for what stands before the node: `Authorization` and the like. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Web origins whose pages may connect, as `https://console.example`. Default none: a page is no node. */
  readonly origins?: readonly string[];
}

/** Messages are read where the next are read to, so each must be taken at once: see ws-frames.ts. */
const FRAMING = { perMessageDeflate: false, maxPayload: MAX_MESSAGE, allowSynchronousEvents: true };

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
      const stream = new WsStream(await this.#connect(url, signal));
      const request: ClientRequestArgs = { createConnection: () => stream, headers: this.#options.headers };
      const ws = new WebSocket(`${url.scheme}://${authorityOf(url)}${url.path}`, { ...request, ...FRAMING });
      const pipe = new WsPipe(ws, stream);
      await opened(ws, url, signal);
      return pipe;
    });
  }

  async #connect(url: MeshUrl, signal: AbortSignal): Promise<SocketPipe> {
    const tls = this.#settings.current;
    const proxy = proxyFor(url);
    if (proxy === undefined) return await (url.scheme === "wss" ? dialTls(url, tls, signal) : dialTcp(url, signal));
    const inlet = new Inlet();
    const facts = { remote: formatMeshUrl(url), remoteHost: url.host };
    const socket = await connectThrough(proxy, url, signal);
    if (url.scheme !== "wss") return new SocketPipe(feedFromEvents(socket, inlet), inlet, { ...facts, secure: false });
    const secured = connectTls(url, tls, { socket });
    await socketReady(secured, "secureConnect", signal);
    return new SocketPipe(feedFromEvents(secured, inlet), inlet, { ...facts, secure: true, proof: proofOf(secured, tls) });
  }

  listen(url: MeshUrl, handlers: ListenHandlers): Promise<Listener> {
    const handshakes = new Handshakes();
    const proofs = new WeakMap<Socket, Proof>();
    const secure = url.scheme === "wss";
    const upgrades = upgradeServer(url, this.#options.origins ?? [], handlers, (socket) => {
      const inlet = new Inlet();
      const facts = { ...remoteFacts(url, socket), secure, proof: proofs.get(socket) };
      handshakes.established(socket);
      return new SocketPipe(socket instanceof TLSSocket ? feedSecure(socket, inlet) : adopt(socket, inlet), inlet, facts);
    });
    // The HTTP server reads what is handed to it; it does not listen itself.
    const serve = (socket: Socket): void => {
      upgrades.emit("connection", socket);
      socket.resume();
    };
    if (secure) {
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

/** An HTTP server that knows the WebSocket handshake, and answers 426 to all else. `pipeOf`: takes the socket over. */
function upgradeServer(url: MeshUrl, origins: readonly string[], handlers: ListenHandlers, pipeOf: (socket: Socket) => SocketPipe): Server {
  const sockets = new WebSocketServer({ ...FRAMING, noServer: true, clientTracking: false });
  const server = createServer((_request, response) => {
    response.writeHead(426, { Upgrade: "websocket", Connection: "close, upgrade", "Content-Type": "text/plain" });
    response.end("This is a node of a mesh: use a WebSocket.\n");
  });
  return server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = refusalOf(request, url, origins);
    if (refusal === undefined) {
      const stream = new WsStream(pipeOf(request.socket));
      sockets.handleUpgrade(request, stream, head, (ws) => handlers.onPipe(new WsPipe(ws, stream)));
    } else {
      socket.end(`HTTP/1.1 ${refusal} ${STATUS_CODES[refusal]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    }
  });
}

function refusalOf(request: IncomingMessage, url: MeshUrl, origins: readonly string[]): number | undefined {
  const { origin } = request.headers;
  if (origin !== undefined && !origins.includes(origin)) return 403;
  const path = request.url?.split("?", 1)[0];
  return url.path === "/" || path === url.path ? undefined : 404;
}
