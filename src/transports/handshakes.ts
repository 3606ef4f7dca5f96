import type { Socket } from "node:net";
import { MeshError } from "../core/errors.ts";
import { TIMES } from "../core/limits.ts";
import { type Stranger, Strangers } from "../core/strangers.ts";

/** As much of a handshake as an honest peer sends at once, at the least. */
const FIRST_WORDS = 64;

/** Accepted sockets whose TLS or WebSocket handshake is not over; each is destroyed after 5 s, and there are never many. */
export class Handshakes {
  // By address, as each layer has a socket object of its own.
  readonly #open = new Map<string, { readonly socket: Socket; readonly timer: NodeJS.Timeout; readonly stranger: Stranger }>();
  readonly #strangers = new Strangers();

  /** `false`: there are too many already. `onCutOff`: it was too slow, and is closed. */
  begin(socket: Socket, onCutOff: (error: MeshError) => void): boolean {
    const cutOff = (why: string): void => {
      onCutOff(new MeshError("SLOW_GREETING", why));
      socket.destroy();
    };
    const stranger: Stranger = {
      address: socket.remoteAddress ?? "",
      since: performance.now(),
      spoke: () => socket.bytesRead >= FIRST_WORDS,
      close: () => cutOff("others wanted to come in"),
    };
    if (!this.#strangers.enter(stranger)) return false;
    const timer = setTimeout(() => cutOff(`no handshake within ${TIMES.greeting} ms`), TIMES.greeting).unref();
    // A stranger that breaks off is no event; the socket closes by itself.
    socket.on("error", () => socket.destroy());
    const key = keyOf(socket);
    this.#open.set(key, { socket, timer, stranger });
    socket.once("close", () => {
      clearTimeout(timer);
      this.#strangers.leave(stranger);
      if (this.#open.get(key)?.socket === socket) this.#open.delete(key);
    });
    return true;
  }

  /** `socket`: the one that began, or one of a layer above it. */
  established(socket: Socket): void {
    const key = keyOf(socket);
    const known = this.#open.get(key);
    if (known === undefined) return;
    clearTimeout(known.timer);
    this.#strangers.leave(known.stranger);
    this.#open.delete(key);
  }

  destroyAll(): void {
    for (const { socket } of this.#open.values()) socket.destroy();
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
