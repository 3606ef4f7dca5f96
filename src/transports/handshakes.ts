import type { Socket } from "node:net";
import { TIMES } from "../core/limits.ts";

/** Accepted sockets whose TLS or WebSocket handshake is not over; each is destroyed after 5 s. */
export class Handshakes {
  // By address, as each layer has a socket object of its own.
  readonly #open = new Map<string, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>();

  begin(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), TIMES.greeting).unref();
    // A stranger that breaks off is no event; the socket closes by itself.
    socket.on("error", () => socket.destroy());
    const key = keyOf(socket);
    this.#open.set(key, { socket, timer });
    socket.once("close", () => {
      clearTimeout(timer);
      if (this.#open.get(key)?.socket === socket) this.#open.delete(key);
    });
  }

  /** `socket`: the one that began, or one of a layer above it. */
  established(socket: Socket): void {
    const key = keyOf(socket);
    clearTimeout(this.#open.get(key)?.timer);
    this.#open.delete(key);
  }

  destroyAll(): void {
    for (const { socket } of this.#open.values()) socket.destroy();
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
