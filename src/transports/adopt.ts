import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Inlet } from "./inlet.ts";

// Node offers `onread` to sockets that dial, not to those that are accepted; the fresh buffer that accepted ones make for each read costs
// over twice the processor time, and keeps the collector busy. What is below leans on Node's internals to spare it. Where they are not
// as expected, the socket feeds its inlet the slower way.

interface Adopting extends SocketConstructorOpts {
  readonly handle: object;
  readonly pauseOnCreate: true;
  readonly onread: OnReadOpts;
}

interface Handle {
  useUserBuffer(buffer: Uint8Array): void;
}

/** Where a socket that dials keeps its `onread`. */
const [BUFFER, CALLBACK] = ["kBuffer", "kBufferCb"].map((name) =>
  Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name),
);

/**
 * A socket that reads into the shared buffer of `inlet`, over the connection of an accepted one, which is useless
 * afterwards.
 */
export function adopt(accepted: Socket, inlet: Inlet): Socket {
  const holder: { _handle?: unknown } = accepted as Socket & { _handle?: unknown };
  const handle = holder._handle;
  if (!takesBuffer(handle) || !("readStart" in handle)) return feedFromEvents(accepted, inlet);
  holder._handle = null;
  const options: Adopting = { handle, pauseOnCreate: true, onread: inlet.onread };
  return new Socket(options);
}

/** The same accepted TLS socket, which from now on reads into the shared buffer of `inlet`. Nothing may have been read from it. */
export function feedSecure(accepted: TLSSocket, inlet: Inlet): TLSSocket {
  const { _handle: handle } = accepted as TLSSocket & { _handle?: unknown };
  if (BUFFER === undefined || CALLBACK === undefined || !takesBuffer(handle)) return feedFromEvents(accepted, inlet);
  const { buffer, callback } = inlet.onread;
  if (!(buffer instanceof Uint8Array)) return feedFromEvents(accepted, inlet);
  accepted.pause();
  handle.useUserBuffer(buffer);
  Object.assign(accepted, { [BUFFER]: buffer, [CALLBACK]: callback });
  return accepted;
}

function takesBuffer(handle: unknown): handle is Handle {
  return typeof handle === "object" && handle !== null && "useUserBuffer" in handle;
}

/** Feeds `inlet` from the socket's `data` events, for sockets that were made without `onread`. */
export function feedFromEvents<S extends Socket>(socket: S, inlet: Inlet): S {
  socket.pause();
  socket.on("data", (chunk: Buffer) => inlet.take(chunk));
  return socket;
}
