import type { X509Certificate } from "node:crypto";
import type { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import type { Millis } from "../core/instant.ts";
import type { MeshUrl } from "./url.ts";

/** What a pipe tells its owner. After `onClose` nothing more comes. */
export interface PipeHandlers {
  /** `chunk` is valid only during the call: copy what you keep. It is never a Buffer. */
  onData(chunk: Uint8Array): void;
  /** The pipe takes bytes again after a `write` that returned false. */
  onDrain(): void;
  /** Exactly once, whoever closed; `error` is why, where it was not asked for. */
  onClose(error?: MeshError): void;
}

/** A connected byte pipe: ordered, reliable until it closes, and with no notion of frames. */
export interface Pipe {
  /** The URL that was dialled, or the address that dialled us, for people: `tcp://127.0.0.1:50112`. */
  readonly remote: string;
  /** The other end's host, without a port, for limits per address. */
  readonly remoteHost: string;
  readonly secure: boolean;
  /** The node that the other end's certificate names; undefined where nothing proves who it is. */
  readonly certified?: NodeId | undefined;
  /** The certificate that says so. */
  readonly certificate?: X509Certificate | undefined;
  /** Starts the flow of data; to be called once. Until then nothing is read. */
  open(handlers: PipeHandlers): void;
  /**
   * Sends `bytes`, which must not change until `done` runs. False: the pipe is full, so wait for `onDrain` before
   * the next write if you can (a write in between is still taken). A write to a closed pipe runs `done` and does nothing.
   * `spent`: nobody needs `bytes` afterwards, nor the WRITE_ROOM bytes before them in their buffer, so the pipe may write there, which
   * spares a WebSocket a copy. Default false.
   */
  write(bytes: Uint8Array, done?: () => void, spent?: boolean): boolean;
  /** Bytes taken by `write` that have not left. */
  readonly pending: number;
  pause(): void;
  resume(): void;
  /** Ends after what was written has left, at most one second later; `abort` at once. Closing twice is harmless. */
  close(abort?: boolean): void;
}

export interface DialOptions {
  readonly signal: AbortSignal;
  /** Default 10 s, for the connection, the proxy and the TLS or WebSocket handshake together. */
  readonly timeout?: Millis;
}

export interface Listener {
  /** As bound: with the port that the system gave where 0 was asked for. */
  readonly url: MeshUrl;
  /** Stops accepting; pipes that are open stay. */
  close(): Promise<void>;
}

export interface ListenHandlers {
  onPipe(pipe: Pipe): void;
  /** Accepting stopped working for a while (out of descriptors) or works again. The listener goes on by itself. */
  onTrouble?(error: MeshError | undefined): void;
  /** Whether one more connection from this host may come; where false it is closed at once, before anything is read. */
  admit?(remoteHost: string): boolean;
  /** One was closed after its handshake, for what its certificate lacks, or before, for how long that took. `remote` as in Pipe. */
  onRefused?(error: MeshError, remote: string): void;
  /** One was closed at once, as too many have not shown who they are. */
  onTurnedAway?(): void;
}

/** One way to carry bytes between two nodes. Rejects with CONNECT_FAILED, TIMEOUT, LISTEN_FAILED or ABORTED. */
export interface Transport {
  dial(url: MeshUrl, options: DialOptions): Promise<Pipe>;
  listen(url: MeshUrl, handlers: ListenHandlers): Promise<Listener>;
}
