import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";

export interface ConnectProxy {
  readonly url: string;
  /** What was asked for, as HOST:PORT. */
  readonly targets: readonly string[];
  /** What has passed towards the targets, as text. */
  bytes(): string;
  close(): Promise<void>;
}

/** An HTTP proxy on loopback that knows CONNECT alone. `authorization`: the header it insists on, or "never" to answer nothing. */
export async function connectProxy(authorization?: string): Promise<ConnectProxy> {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  let passed = "";
  const server = createServer();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
  };
  server.on("connection", keep);
  server.on("connect", (request, client: Socket, head) => {
    if (authorization === "never") return;
    if (authorization !== undefined && request.headers["proxy-authorization"] !== authorization) {
      client.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
      return;
    }
    const target = request.url ?? "";
    targets.push(target);
    const { hostname, port } = new URL(`http://${target}`);
    const upstream = keep(connect(Number(port), hostname, () => client.write("HTTP/1.1 200 Connection established\r\n\r\n")));
    upstream.write(head);
    client.on("data", (chunk: Buffer) => (passed += chunk.toString("latin1")));
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    targets,
    bytes: () => passed,
    async close() {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}
