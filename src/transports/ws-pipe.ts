import type { X509Certificate } from "node:crypto";
import { WebSocket } from "ws";
import { MeshError } from "../core/errors.ts";
import type { NodeId } from "../core/ids.ts";
import { lostError } from "./errors.ts";
import { Inlet } from "./inlet.ts";
import { CLOSE_MS, HIGH_WATER, type PipeFacts } from "./socket-pipe.ts";
import type { Pipe, PipeHandlers } from "./transport.ts";

/** The longest WebSocket message that is taken or sent; longer writes leave as several. */
export const MAX_MESSAGE = 1024 * 1024;

const NORMAL = 1000;
const NOT_BINARY = 1003;
/** Close codes that say no more than that the other end is done: normal, going away, none given. */
const UNREMARKABLE = new Set([NORMAL, 1001, 1005]);

/** A pipe over a WebSocket, in binary messages whose limits mean nothing. */
export class WsPipe implements Pipe {
  readonly remote: string;
  readonly remoteHost: string;
  readonly secure: boolean;
  readonly certified: NodeId | undefined;
  readonly certificate: X509Certificate | undefined;
  readonly #ws: WebSocket;
  readonly #inlet = new Inlet();
  #error: MeshError | undefined;
  #pending = 0;
  #full = false;
  #closing = false;
  #deadline: NodeJS.Timeout | undefined;

  /** `ws` may still be connecting. */
  constructor(ws: WebSocket, facts: PipeFacts) {
    this.remote = facts.remote;
    this.remoteHost = facts.remoteHost;
    this.secure = facts.secure;
    this.certified = facts.proof?.certified;
    this.certificate = facts.proof?.certificate;
    this.#ws = ws;
    if (ws.readyState === WebSocket.OPEN) ws.pause();
    else ws.once("open", () => ws.pause());
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
  }

  open(handlers: PipeHandlers): void {
    this.#inlet.open(handlers);
    this.#ws.resume();
  }

  write(bytes: Uint8Array, done?: () => void): boolean {
    if (this.#closing || this.#ws.readyState !== WebSocket.OPEN) {
      if (done !== undefined) queueMicrotask(done);
      return false;
    }
    let at = 0;
    for (; bytes.length - at > MAX_MESSAGE; at += MAX_MESSAGE) this.#send(bytes.subarray(at, at + MAX_MESSAGE), undefined);
    this.#send(at === 0 ? bytes : bytes.subarray(at), done);
    if (this.#pending < HIGH_WATER) return true;
    this.#full = true;
    return false;
  }

  #send(bytes: Uint8Array, done: (() => void) | undefined): void {
    this.#pending += bytes.length;
    this.#ws.send(bytes, { binary: true, compress: false }, () => {
      this.#pending -= bytes.length;
      done?.();
      if (!this.#full || this.#pending > 0) return;
      this.#full = false;
      this.#inlet.drain();
    });
  }

  get pending(): number {
    return this.#pending;
  }

  pause(): void {
    if (this.#closing) return;
    this.#inlet.pause();
    this.#ws.pause();
  }

  resume(): void {
    if (this.#closing) return;
    this.#inlet.resume();
    this.#ws.resume();
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
    this.#ws.resume();
    this.#ws.close(code);
    this.#deadline ??= setTimeout(() => this.#ws.terminate(), CLOSE_MS).unref();
  }
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
