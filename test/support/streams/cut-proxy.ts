import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP proxy whose connections can be reset, with what is in them lost. */
export class CutProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** `port`: of what it stands for, on loopback. */
  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect({ port, host: "127.0.0.1" });
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far);
      far.pipe(near);
    });
  }

  /** Resolves to where it listens. */
  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has no port");
    return `tcp://127.0.0.1:${address.port}`;
  }

  /** Resets every connection. Returns how many. */
  cut(): number {
    const cut = this.#sockets.size;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    return cut;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}
