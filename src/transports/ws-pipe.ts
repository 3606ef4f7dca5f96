import type { X509Certificate } from "node:crypto";
import * as websockets from "ws";
import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { WRITE_ROOM } from "../core/limits.ts";
import { lostError } from "./errors.ts";
import { Inlet } from "./inlet.ts";
import { CLOSE_MS, type SocketPipe } from "./socket-pipe.ts";
import type { Pipe, PipeHandlers } from "./transport.ts";
import { MAX_MESSAGE } from "./ws-frames.ts";
import type { WsStream } from "./ws-stream.ts";

const { WebSocket } = websockets;
const NORMAL = 1000;
const NOT_BINARY = 1003;
/** Close codes that say no more than that the other end is done: normal, going away, none given. */
const UNREMARKABLE = new Set([NORMAL, 1001, 1005]);

/** What `ws` makes frames with: it exports it, and does not describe it. By `send`, who dials would copy all that it sends to mask it. */
interface Framer {
  /** Masks `bytes` where they are, unless they are `readOnly`. */
  frame(bytes: Uint8Array, options: FrameOptions): readonly [head: Uint8Array, body?: Uint8Array];
}

/** For one message that is one frame. Made once, as objects that are spread anew for each are slow to make and to read. */
class FrameOptions {
  readonly fin = true;
  readonly rsv1 = false;
  readonly opcode = 2;
  readonly mask: boolean;
  readonly readOnly: boolean;

  constructor(mask: boolean, readOnly: boolean) {
    this.mask = mask;
    this.readOnly = readOnly;
  }
}

const PLAIN = new FrameOptions(false, true);
const MASKED = new FrameOptions(true, true);
const MASKED_IN_PLACE = new FrameOptions(true, false);

const exported: unknown = "Sender" in websockets ? websockets.Sender : undefined;
const framer = isFramer(exported) ? exported : undefined;

/** A pipe over a WebSocket, in binary messages whose limits mean nothing. */
export class WsPipe implements Pipe {
  readonly remote: string;
  readonly remoteHost: string;
  readonly secure: boolean;
  readonly certified: NodeId | undefined;
  readonly certificate: X509Certificate | undefined;
  readonly #ws: websockets.WebSocket;
  readonly #stream: WsStream;
  readonly #under: SocketPipe;
  readonly #inlet = new Inlet();
  /** Who dials masks. */
  readonly #masks: boolean;
  #error: MeshError | undefined;
  #closing = false;
  #deadline: NodeJS.Timeout | undefined;

  /** `ws` may still be connecting, which it does where this end has dialled. */
  constructor(ws: websockets.WebSocket, stream: WsStream) {
    const under = stream.under;
    this.remote = under.remote;
    this.remoteHost = under.remoteHost;
    this.secure = under.secure;
    this.certified = under.certified;
    this.certificate = under.certificate;
    this.#ws = ws;
    this.#stream = stream;
    this.#under = under;
    this.#masks = ws.readyState !== WebSocket.OPEN;
    stream.on("drain", () => this.#inlet.drain());
    ws.on("message", (data, isBinary) => {
      if (!isBinary) return this.#refuseText();
      if (Buffer.isBuffer(data)) this.#inlet.take(data);
    });
    ws.on("error", (error) => {
      this.#error ??= errorOf(this.remote, error);
    });
    ws.on("close", (code) => {
      clearTimeout(this.#deadline);
      if (!UNREMARKABLE.has(code)) this.#error ??= closeError(this.remote, code);
      this.#inlet.close(this.#closing ? undefined : this.#error);
    });
    // Last, as something may have come already.
    if (this.#masks) ws.once("open", () => stream.begin(false));
    else stream.begin(true);
  }

  open(handlers: PipeHandlers): void {
    this.#inlet.open(handlers);
    this.#under.resume();
  }

  write(bytes: Uint8Array, done?: () => void, spent = false): boolean {
    if (this.#closing || this.#ws.readyState !== WebSocket.OPEN) {
      if (done !== undefined) queueMicrotask(done);
      return false;
    }
    if (bytes.length <= MAX_MESSAGE) return this.#send(bytes, done, spent);
    let at = 0;
    // In parts, each of which has the one before it where it would have room.
    for (; bytes.length - at > MAX_MESSAGE; at += MAX_MESSAGE) this.#send(bytes.subarray(at, at + MAX_MESSAGE), undefined, false);
    return this.#send(bytes.subarray(at), done, false);
  }

  #send(bytes: Uint8Array, done: (() => void) | undefined, spent: boolean): boolean {
    if (framer === undefined) {
      this.#ws.send(bytes, { binary: true, compress: false }, () => done?.());
      return !this.#stream.writableNeedDrain;
    }
    const [head, body] = framer.frame(bytes, this.#masks ? (spent ? MASKED_IN_PLACE : MASKED) : PLAIN);
    if (spent && body !== undefined && head.length <= WRITE_ROOM) return this.#under.write(joined(head, bytes), done);
    return body === undefined ? this.#under.write(head, done) : this.#under.writeBoth(head, body, done);
  }

  get pending(): number {
    return this.#stream.destroyed ? 0 : Math.max(this.#under.pending, this.#stream.writableLength);
  }

  pause(): void {
    if (this.#closing) return;
    this.#inlet.pause();
    this.#under.pause();
  }

  resume(): void {
    if (this.#closing) return;
    this.#inlet.resume();
    this.#under.resume();
  }

  close(abort = false): void {
    const first = !this.#closing;
    this.#closing = true;
    this.#inlet.discard();
    if (abort) this.#ws.terminate();
    else if (first) this.#end(NORMAL);
  }

  /** A node sends none; so it is no node, and nothing that it sent before counts either. */
  #refuseText(): void {
    if (this.#error !== undefined) return;
    this.#error = new MeshError("PROTOCOL_ERROR", `${this.remote} sent a WebSocket text message, so it is no node`);
    this.#inlet.discard();
    this.#end(NOT_BINARY);
  }

  #end(code: number): void {
    // The other end's close is behind whatever it has sent, so that must flow, to nowhere.
    this.#under.resume();
    this.#ws.close(code);
    this.#deadline ??= setTimeout(() => this.#ws.terminate(), CLOSE_MS).unref();
  }
}

/** `bytes` with `head` before them, where there is room for it. */
function joined(head: Uint8Array, bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(bytes.buffer, bytes.byteOffset - head.length, head.length + bytes.length);
  whole.set(head);
  return whole;
}

function isFramer(value: unknown): value is Framer {
  return typeof value === "function" && "frame" in value && typeof value.frame === "function";
}

function errorOf(remote: string, error: Error): MeshError {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") {
    return new MeshError("TOO_LARGE", `${remote} sent a WebSocket message of more than ${MAX_MESSAGE} bytes`, { cause: error });
  }
  if (code.startsWith("WS_ERR_"))
    return new MeshError("PROTOCOL_ERROR", `${remote} broke the WebSocket protocol: ${error.message}`, { cause: error });
  return lostError(remote, error);
}

function closeError(remote: string, code: number): MeshError {
  if (code === 1006) return lostError(remote, new Error("it ended without a WebSocket close"));
  return new MeshError("CONNECT_FAILED", `${remote} closed the connection with WebSocket code ${code}`, { data: { reason: String(code) } });
}
