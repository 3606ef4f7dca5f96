import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { Certificates } from "./certificates.ts";

/** A connection on loopback, ready for use; TLS 1.3 with a certificate at both ends where there are certificates. */
export async function dial(port: number, tls: Certificates | undefined): Promise<Socket> {
  const where = { host: "127.0.0.1", port };
  if (tls === undefined) {
    const socket = connect({ ...where, noDelay: true });
    await once(socket, "connect");
    return socket;
  }
  const socket = connectTls({ ...where, ...tls, minVersion: "TLSv1.3" });
  await once(socket, "secureConnect");
  socket.setNoDelay(true);
  return socket;
}

/** Listens on a free port, which it resolves to. */
export async function listen(tls: Certificates | undefined, onSocket: (socket: Socket) => void): Promise<number> {
  const secure = { ...tls, minVersion: "TLSv1.3", requestCert: true } as const;
  const server = tls === undefined ? createServer({ noDelay: true }, onSocket) : createTlsServer(secure, onSocket);
  if (tls !== undefined) server.on("connection", (socket: Socket) => socket.setNoDelay(true));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
