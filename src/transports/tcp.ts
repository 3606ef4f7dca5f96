import { connect } from "node:net";
import { adopt } from "./adopt.ts";
import { listenTcp, remoteFacts } from "./accept.ts";
import { bounded, socketReady } from "./dial.ts";
import { Inlet } from "./inlet.ts";
import { SocketPipe } from "./socket-pipe.ts";
import type { DialOptions, Listener, ListenHandlers, Pipe, Transport } from "./transport.ts";
import { formatMeshUrl, type MeshUrl } from "./url.ts";

/** Plain TCP. */
export class TcpTransport implements Transport {
  dial(url: MeshUrl, options: DialOptions): Promise<Pipe> {
    return bounded(url, options, (signal) => dialTcp(url, signal));
  }

  listen(url: MeshUrl, handlers: ListenHandlers): Promise<Listener> {
    return listenTcp(url, handlers, {
      onSocket(accepted) {
        const inlet = new Inlet();
        const facts = remoteFacts(url, accepted);
        handlers.onPipe(new SocketPipe(adopt(accepted, inlet), inlet, { ...facts, secure: false }));
      },
    });
  }
}

/** A TCP connection to the host of `url`, whatever its scheme. */
export async function dialTcp(url: MeshUrl, signal: AbortSignal): Promise<SocketPipe> {
  const inlet = new Inlet();
  const socket = connect({ host: url.host, port: url.port, noDelay: true, onread: inlet.onread });
  const pipe = new SocketPipe(socket, inlet, { remote: formatMeshUrl(url), remoteHost: url.host, secure: false });
  await socketReady(socket, "connect", signal);
  return pipe;
}
