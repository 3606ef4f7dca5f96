import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";
import type { Inlet } from "./inlet.ts";

interface Adopting extends SocketConstructorOpts {
  readonly handle: object;
  readonly pauseOnCreate: true;
  readonly onread: OnReadOpts;
}

/**
 * A socket that reads into the shared buffer of `inlet`, over the connection of an accepted one, which is useless
 * afterwards. Node offers `onread` to sockets that dial, not to those that are accepted, and the copy to a fresh buffer
 * that accepted ones make costs over twice the processor time. This leans on Node's internals: where they are not as
 * expected, `accepted` itself is returned, and feeds `inlet` the slower way.
 */
export function adopt(accepted: Socket, inlet: Inlet): Socket {
  const holder: { _handle?: unknown } = accepted as Socket & { _handle?: unknown };
  const handle = holder._handle;
  if (typeof handle !== "object" || handle === null || !("useUserBuffer" in handle) || !("readStart" in handle)) {
    return feedFromEvents(accepted, inlet);
  }
  holder._handle = null;
  const options: Adopting = { handle, pauseOnCreate: true, onread: inlet.onread };
  return new Socket(options);
}

/** Feeds `inlet` from the socket's `data` events, for sockets that were made without `onread`. */
export function feedFromEvents<S extends Socket>(socket: S, inlet: Inlet): S {
  socket.pause();
  socket.on("data", (chunk: Buffer) => inlet.take(chunk));
  return socket;
}
