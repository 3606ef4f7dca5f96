import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { concat } from "../core/bytes.ts";
import { MeshError, toMeshError } from "../core/errors.ts";
import type { Millis } from "../core/instant.ts";
import { TIMES } from "../core/limits.ts";
import { boundedSignal } from "./bounded-signal.ts";
import { socketReady } from "./dial.ts";
import { dialError } from "./errors.ts";
import type { Asks } from "./tls-options.ts";
import { formatMeshUrl, type MeshUrl } from "./url.ts";

const LENGTH = 4;

/**
 * Reads one question, answers it and closes. The socket stays a stranger's all the while: it is closed 5 s after it came, and sooner
 * where there are many.
 */
export function answerAsk(socket: TLSSocket, asks: Asks, remoteHost: string): void {
  socket.on("error", () => socket.destroy());
  void readMessage(socket, asks.limit)
    .then((question) => asks.answer(question, remoteHost))
    .then(
      (answer) => (answer === undefined ? socket.destroy() : socket.end(withLength(answer))),
      () => socket.destroy(),
    );
}

export interface AskOptions {
  /** The name of the conversation. */
  readonly protocol: string;
  readonly signal: AbortSignal;
  /** Default 10 s, from the connection to the answer. */
  readonly timeout?: Millis;
}

/**
 * The certificates that a listener shows, its own first, to who trusts none yet: nothing is proved by them, and nothing is said to it.
 * Rejects with CONNECT_FAILED, TIMEOUT or ABORTED; UNSUPPORTED where it does not hold such conversations.
 */
export async function seenCertificates(url: MeshUrl, options: AskOptions): Promise<readonly X509Certificate[]> {
  return await withSocket(url, undefined, options, (socket) => {
    const chain: X509Certificate[] = [];
    for (let at = socket.getPeerX509Certificate(); at !== undefined && chain.length < 8; at = at.issuerCertificate) chain.push(at);
    return Promise.resolve(chain);
  });
}

export interface Question {
  /** PEM of the authority that must have signed the listener's certificate. */
  readonly authority: string;
  readonly question: Uint8Array;
  /** The longest answer, in bytes. */
  readonly limit: number;
  /** Throws where the listener's certificate is not the right one; then nothing is said to it. */
  check(certificate: X509Certificate): void;
}

/** Asks one question and reads its answer. Rejects as `seenCertificates` does; PROTOCOL_ERROR where the other end hangs up. */
export async function askListener(url: MeshUrl, asked: Question, options: AskOptions): Promise<Uint8Array> {
  return await withSocket(url, asked.authority, options, async (socket) => {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new MeshError("CERTIFICATE_INVALID", "the other end has shown no certificate");
    asked.check(certificate);
    socket.write(withLength(asked.question));
    return await readMessage(socket, asked.limit);
  });
}

async function withSocket<T>(
  url: MeshUrl,
  authority: string | undefined,
  { protocol, signal, timeout = TIMES.connect }: AskOptions,
  use: (socket: TLSSocket) => Promise<T>,
): Promise<T> {
  if (signal.aborted) throw new MeshError("ABORTED", `asking ${formatMeshUrl(url)} was aborted`, { cause: signal.reason });
  const { signal: bound, release } = boundedSignal(signal, timeout);
  const socket = connect({
    host: url.host,
    port: url.port,
    servername: isIP(url.host) === 0 ? url.host : "",
    ALPNProtocols: [protocol],
    minVersion: "TLSv1.3",
    // Members are known by their ids, which `use` looks at, and not by the names of their hosts.
    checkServerIdentity: () => undefined,
    ...(authority === undefined ? { rejectUnauthorized: false } : { ca: authority }),
  });
  const abort = (): void => void socket.destroy(toMeshError(bound.reason));
  try {
    await socketReady(socket, "secureConnect", bound);
    bound.addEventListener("abort", abort, { once: true });
    if (socket.alpnProtocol !== protocol) throw new MeshError("UNSUPPORTED", `${formatMeshUrl(url)} lets nobody in: ask a node that does`);
    return await use(socket);
  } catch (error) {
    if (signal.aborted) throw new MeshError("ABORTED", `asking ${formatMeshUrl(url)} was aborted`, { cause: error });
    if (bound.aborted) throw new MeshError("TIMEOUT", `no answer from ${formatMeshUrl(url)} within ${timeout / 1_000} s`, { cause: error });
    throw dialError(url, error);
  } finally {
    release();
    bound.removeEventListener("abort", abort);
    socket.on("error", () => undefined).destroy();
  }
}

function withLength(message: Uint8Array): Uint8Array {
  const prefix = new Uint8Array(LENGTH);
  new DataView(prefix.buffer).setUint32(0, message.length);
  return concat([prefix, message]);
}

/** One message: its length in four bytes, then as many. Rejects with PROTOCOL_ERROR, before more than `limit` bytes are kept. */
function readMessage(socket: TLSSocket, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: unknown): void => {
      settle();
      reject(new MeshError("PROTOCOL_ERROR", "the other end hung up, or said something else than was agreed", { cause }));
    };
    let held: Uint8Array = new Uint8Array(0);
    const onData = (chunk: Buffer): void => {
      held = concat([held, chunk]);
      if (held.length < LENGTH) return;
      const length = new DataView(held.buffer, held.byteOffset).getUint32(0);
      if (length > limit || held.length > LENGTH + length) return fail();
      if (held.length < LENGTH + length) return;
      settle();
      resolve(held.subarray(LENGTH));
    };
    const settle = (): void => {
      socket.off("data", onData).off("error", fail).off("close", fail).off("end", fail);
    };
    socket.on("data", onData).on("error", fail).on("close", fail).on("end", fail);
  });
}
