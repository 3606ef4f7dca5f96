import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { MeshUrl } from "./url.ts";

export interface SilentServer {
  readonly url: MeshUrl;
  /** Resolves once somebody has connected. */
  connected(): Promise<void>;
  /** Resolves once who connected is gone. */
  disconnected(): Promise<void>;
  close(): Promise<void>;
}

/** Accepts TCP connections at the host of `url`, and never says a word. */
export async function silentServer(url: MeshUrl): Promise<SilentServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // A reset is as good as an end here.
    socket
      .on("error", () => socket.destroy())
      .on("close", () => sockets.delete(socket))
      .resume();
  });
  server.listen({ host: url.host, port: 0 });
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) return Promise.reject(new TypeError("no TCP address"));
  return {
    url: { ...url, port: address.port },
    async connected() {
      if (sockets.size === 0) await once(server, "connection");
    },
    async disconnected() {
      for (const socket of sockets) if (!socket.closed) await once(socket, "close");
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
