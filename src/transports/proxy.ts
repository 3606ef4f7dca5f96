import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type Socket } from "node:net";
import { getProxyForUrl } from "proxy-from-env";
import { MeshError } from "../core/errors.ts";
import { dialError } from "./errors.ts";
import { formatMeshUrl, type MeshUrl } from "./url.ts";

/**
 * The proxy that the environment names for a WebSocket URL: HTTP_PROXY for ws, HTTPS_PROXY for wss, ALL_PROXY for both,
 * unless NO_PROXY lists the host; upper or lower case. Throws CONNECT_FAILED where it is no http or https URL.
 */
export function proxyFor(url: MeshUrl): URL | undefined {
  const text = getProxyForUrl(`${url.scheme === "wss" ? "https" : "http"}://${authorityOf(url)}`);
  if (text === "") return undefined;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy === undefined || (proxy.protocol !== "http:" && proxy.protocol !== "https:")) {
    throw new MeshError("CONNECT_FAILED", `cannot connect to ${formatMeshUrl(url)}: the proxy in the environment is no http or https URL`);
  }
  return proxy;
}

/** A TCP connection to the host of `url` through the proxy. Rejects with CONNECT_FAILED. */
export function connectThrough(proxy: URL, url: MeshUrl, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void =>
      reject(new MeshError("CONNECT_FAILED", `cannot connect to ${formatMeshUrl(url)} through the proxy ${proxy.host}: ${why}`, { cause }));
    const request = proxy.protocol === "https:" ? httpsRequest(options(proxy, url, signal)) : httpRequest(options(proxy, url, signal));
    request.once("connect", (response, socket: Socket, head: Buffer) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        fail(`it answered ${response.statusCode}${response.statusCode === 407 ? ", so give user and password in its URL" : ""}`);
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket.setNoDelay(true));
    });
    request.once("response", (response) => {
      response.destroy();
      fail(`it answered ${response.statusCode}, so it is no proxy`);
    });
    request.on("error", (error) => fail(dialError(url, error).message, error));
    request.end();
  });
}

function options(proxy: URL, url: MeshUrl, signal: AbortSignal): RequestOptions {
  const target = authorityOf(url);
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return {
    method: "CONNECT",
    host: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: proxy.port === "" ? (proxy.protocol === "https:" ? 443 : 80) : Number(proxy.port),
    path: target,
    agent: false,
    signal,
    headers: {
      Host: target,
      ...(credentials !== ":" && { "Proxy-Authorization": `Basic ${Buffer.from(credentials).toString("base64")}` }),
    },
  };
}

/** Host and port, also where the port is the scheme's own. */
export function authorityOf(url: MeshUrl): string {
  return `${isIP(url.host) === 6 ? `[${url.host}]` : url.host}:${url.port}`;
}
