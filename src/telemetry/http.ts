import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Log } from "../core/log.ts";
import { MeshError, toMeshError } from "../core/errors.ts";
import type { Millis } from "../core/instant.ts";
import { isLoopbackName, parseHttpAddress } from "./http-address.ts";
import type { RenderedMetrics } from "./metrics.ts";

/** What the server tells, each asked once for a request. */
export interface HttpSources {
  /** Why the node is not ready; empty: it is. */
  readonly notReady: () => readonly string[];
  readonly metrics: () => Promise<RenderedMetrics>;
  /** JSON-safe. */
  readonly status: () => unknown;
}

export interface HttpOptions {
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly address: string;
  readonly log: Log;
  /** How long an answer may take to be made; default 5 s. */
  readonly timeout?: Millis;
}

export interface HttpServer {
  /** As bound: `http://127.0.0.1:8889`. */
  readonly url: string;
  /** Answers what it is at for at most one second, then closes. Closing twice is harmless. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly allow?: string;
}

/** Connections at once; one more is closed. */
const CONNECTIONS = 64;

/**
 * Serves `/healthz`, `/readyz`, `/metrics` and `/status`. Bound to loopback, it answers only requests for a loopback name: a web
 * page whose name was made to point here gets nothing. Rejects with INVALID_ARGUMENT or LISTEN_FAILED.
 */
export async function startHttp(options: HttpOptions, sources: HttpSources): Promise<HttpServer> {
  const { host, port } = parseHttpAddress(options.address);
  const local = isLoopbackName(host);
  const settings = {
    maxHeaderSize: 8 * 1024,
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    keepAliveTimeout: 5_000,
    connectionsCheckingInterval: 1_000,
  };
  const server = createServer(settings, (request, response) => {
    void respond(request, response, () => answer(request, local, sources), options);
  });
  server.maxConnections = CONNECTIONS;
  server.maxHeadersCount = 64;
  // Also for who asks and does not read the answer.
  server.timeout = 15_000;
  await listening(server, host, port, options.address);
  server.on("error", (error) => options.log.warn({ error }, "http server trouble"));
  return { url: urlOf(server, host), close: closer(server) };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  make: () => Promise<Answer>,
  options: HttpOptions,
): Promise<void> {
  let made: Answer;
  try {
    made = await inTime(make(), options.timeout ?? 5_000);
  } catch (thrown) {
    const error = toMeshError(thrown);
    options.log.warn({ path: pathOf(request), error }, "http request failed");
    made = json(error.code === "TIMEOUT" ? 503 : 500, { error: { code: error.code, message: error.message } });
  }
  // A body that nobody reads must not be taken for the next request.
  const keep = request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined;
  response.writeHead(made.status, {
    "content-type": made.type,
    "content-length": Buffer.byteLength(made.body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(made.allow === undefined ? {} : { allow: made.allow }),
    ...(keep ? {} : { connection: "close" }),
  });
  response.end(request.method === "HEAD" ? undefined : made.body);
}

async function answer(request: IncomingMessage, local: boolean, sources: HttpSources): Promise<Answer> {
  if (local && !isLoopbackName(hostOf(request))) return failure(403, "DENIED", "this server answers only for localhost");
  const route = ROUTES.get(pathOf(request));
  if (route === undefined) return failure(404, "INVALID_ARGUMENT", `there is only ${[...ROUTES.keys()].join(", ")}`);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { ...failure(405, "INVALID_ARGUMENT", "only GET and HEAD"), allow: "GET, HEAD" };
  }
  return await route(sources);
}

type Route = (sources: HttpSources) => Answer | Promise<Answer>;

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["/healthz", () => json(200, { alive: true })],
  ["/readyz", ({ notReady }) => readiness(notReady())],
  ["/metrics", async ({ metrics }) => exposition(await metrics())],
  ["/status", ({ status }) => json(200, status())],
]);

function readiness(reasons: readonly string[]): Answer {
  return json(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
}

function exposition({ contentType, text }: RenderedMetrics): Answer {
  return { status: 200, type: contentType, body: text };
}

function json(status: number, value: unknown): Answer {
  return { status, type: "application/json; charset=utf-8", body: `${JSON.stringify(value)}\n` };
}

function failure(status: number, code: string, message: string): Answer {
  return json(status, { error: { code, message } });
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}

/** The name that the request is for, without its port; a request of HTTP/1.0 may have none, and comes from no browser. */
function hostOf(request: IncomingMessage): string {
  const host = request.headers.host;
  if (host === undefined) return "localhost";
  return host
    .replace(/:\d*$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase();
}

async function inTime<T>(work: Promise<T>, timeout: Millis): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new MeshError("TIMEOUT", `no answer within ${timeout} ms`)), timeout);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function listening(server: Server, host: string, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const why = cause.code === "EADDRINUSE" ? "the port is in use" : cause.message;
      reject(new MeshError("LISTEN_FAILED", `http cannot listen on ${address}: ${why}`, { data: { address }, cause }));
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

function urlOf(server: Server, host: string): string {
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function closer(server: Server): () => Promise<void> {
  let closing: Promise<void> | undefined;
  return () => {
    closing ??= new Promise((resolve) => {
      const force = setTimeout(() => server.closeAllConnections(), 1_000);
      server.close(() => {
        clearTimeout(force);
        resolve();
      });
      server.closeIdleConnections();
    });
    return closing;
  };
}
