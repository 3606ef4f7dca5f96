import { request } from "node:http";
import { connect } from "node:net";
import { once } from "node:events";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { transportCompliance } from "../../../src/transports/compliance.ts";
import { connectPair, listenFor, Recorder } from "../../../src/transports/compliance-kit.ts";
import { TlsSettings } from "../../../src/transports/tls-settings.ts";
import type { Listener } from "../../../src/transports/transport.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";
import { type WsOptions, WsTransport } from "../../../src/transports/ws.ts";
import { type Issued, TestAuthority } from "../../support/certificates.ts";
import { type ConnectProxy, connectProxy } from "../../support/connect-proxy.ts";
import { hasIpv6 } from "../../support/ipv6.ts";

const url = parseMeshUrl("ws://127.0.0.1:0");
const signal = new AbortController().signal;
const transport = (options?: WsOptions): WsTransport => new WsTransport(new TlsSettings({}), options);
let authority: TestAuthority;
let leaf: Issued;
let secure: TlsSettings;

beforeAll(async () => {
  authority = await TestAuthority.create();
  leaf = await authority.issue("node");
  secure = new TlsSettings({ ...leaf, ca: authority.ca });
});

// What the machine that runs the tests has set must not matter.
beforeEach(() => {
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]) {
    vi.stubEnv(name, "");
    vi.stubEnv(name.toLowerCase(), "");
  }
});

describe("WsTransport, plain", () => {
  transportCompliance({
    test,
    setup: () => ({ transport: transport(), url, handshake: true, ...(hasIpv6 && { url6: parseMeshUrl("ws://[::1]:0") }) }),
  });
});

describe("WsTransport over TLS", () => {
  transportCompliance({
    test,
    setup: () => ({
      transport: new WsTransport(secure),
      url: parseMeshUrl("wss://127.0.0.1:0"),
      handshake: true,
      ...(hasIpv6 && { url6: parseMeshUrl("wss://[::1]:0") }),
    }),
  });

  test("refuses a listener that is not trusted", async () => {
    const { listener } = await listenFor(new WsTransport(secure), parseMeshUrl("wss://127.0.0.1:0"));
    await expect(transport().dial(listener.url, { signal })).rejects.toMatchObject({
      code: "CONNECT_FAILED",
      message: expect.stringContaining("not trusted here"),
    });
    await listener.close();
  });
});

describe("WsTransport as a listener", () => {
  test("answers 426 to what is no WebSocket", async () => {
    const { listener } = await listenFor(transport(), url);
    const asked = request({ host: "127.0.0.1", port: listener.url.port }).end();
    const [response] = await once(asked, "response");
    expect(response.statusCode).toBe(426);
    expect(response.headers.upgrade).toBe("websocket");
    response.resume();
    await listener.close();
  });

  test("refuses pages of the web, but for the origins that are allowed", async () => {
    const { listener, next } = await listenFor(transport({ origins: ["https://console.example"] }), url);
    const address = `ws://127.0.0.1:${listener.url.port}`;
    const [error] = await once(new WebSocket(address, { origin: "https://evil.example" }), "error");
    expect(error.message).toContain("403");
    const allowed = new WebSocket(address, { origin: "https://console.example" });
    const pipe = await next();
    pipe.close(true);
    allowed.on("error", () => undefined).terminate();
    await listener.close();
  });

  test("serves only its path, and says so to who dials another", async () => {
    const { listener, next } = await listenFor(transport(), { ...url, path: "/mesh" });
    await expect(transport().dial({ ...listener.url, path: "/" }, { signal })).rejects.toMatchObject({
      code: "CONNECT_FAILED",
      message: expect.stringContaining("404 Not Found"),
    });
    const near = await transport().dial(listener.url, { signal });
    for (const pipe of [near, await next()]) pipe.close(true);
    await listener.close();
  });

  test("closes with PROTOCOL_ERROR who sends text", async () => {
    const { listener, next } = await listenFor(transport(), url);
    const client = await openClient(listener);
    const far = await next();
    const recorder = new Recorder();
    far.open(recorder);
    client.send("hello");
    const [code] = await once(client, "close");
    expect(code).toBe(1003);
    await recorder.closed();
    expect([recorder.closes, recorder.received, recorder.error?.code]).toEqual([1, 0, "PROTOCOL_ERROR"]);
    await listener.close();
  });

  test("closes with TOO_LARGE who sends a message of more than 1 MiB", async () => {
    const { listener, next } = await listenFor(transport(), url);
    const client = await openClient(listener);
    const recorder = new Recorder();
    (await next()).open(recorder);
    client.send(new Uint8Array(1024 * 1024 + 1));
    await recorder.closed();
    expect([recorder.received, recorder.error?.code]).toEqual([0, "TOO_LARGE"]);
    client.terminate();
    await listener.close();
  });

  test("does not compress, whatever the dialler offers", async () => {
    const { listener, next } = await listenFor(transport(), url);
    const client = await openClient(listener);
    expect(client.extensions).toBe("");
    (await next()).close(true);
    await listener.close();
  });

  test("ends a connection whose handshake takes more than 5 s, or when it closes", async () => {
    const { listener } = await listenFor(transport(), url);
    const slow = connect(listener.url.port, "127.0.0.1");
    await once(slow, "connect");
    const began = performance.now();
    slow.write("GET / HTTP/1.1\r\n");
    await once(slow.resume(), "close");
    expect(performance.now() - began).toBeGreaterThan(4_000);
    expect(performance.now() - began).toBeLessThan(6_000);
    const late = connect(listener.url.port, "127.0.0.1");
    await once(late, "connect");
    late.write("GET / HTTP/1.1\r\n");
    const answered = await transport().dial(listener.url, { signal });
    await listener.close();
    await once(late.resume(), "close");
    answered.close(true);
  });

  async function openClient(listener: Listener): Promise<WebSocket> {
    const client = new WebSocket(`ws://127.0.0.1:${listener.url.port}`);
    client.on("error", () => undefined);
    await once(client, "open");
    return client;
  }
});

describe("WsTransport as a dialler", () => {
  let proxy: ConnectProxy | undefined;

  afterEach(async () => {
    vi.unstubAllEnvs();
    await proxy?.close();
    proxy = undefined;
  });

  test("sends the headers that it was given", async () => {
    proxy = await connectProxy();
    vi.stubEnv("http_proxy", proxy.url);
    const { listener, near, far } = await connectPair(transport({ headers: { "X-Station": "north" } }), url);
    expect(proxy.bytes()).toMatch(/^X-Station: north\r$/m);
    for (const pipe of [near, far]) pipe.close(true);
    await listener.close();
  });

  test.each(["HTTP_PROXY", "http_proxy", "ALL_PROXY"])("goes through the proxy of %s", async (name) => {
    proxy = await connectProxy();
    vi.stubEnv(name, proxy.url);
    const { listener, near, far } = await connectPair(transport(), url);
    expect(proxy.targets).toEqual([`127.0.0.1:${listener.url.port}`]);
    const [atNear, atFar] = [new Recorder(), new Recorder()];
    near.open(atNear);
    far.open(atFar);
    near.write(new Uint8Array(200_000));
    await atFar.until("all bytes", () => atFar.received === 200_000);
    near.close();
    await Promise.all([atNear.closed(), atFar.closed()]);
    await listener.close();
  });

  test("goes through the proxy of HTTPS_PROXY where the URL is wss, under TLS from end to end", async () => {
    proxy = await connectProxy();
    vi.stubEnv("HTTPS_PROXY", proxy.url);
    const { listener, near, far } = await connectPair(new WsTransport(secure), parseMeshUrl("wss://127.0.0.1:0"));
    expect(proxy.targets).toHaveLength(1);
    expect(proxy.bytes()).not.toContain("Upgrade");
    for (const pipe of [near, far]) pipe.close(true);
    await listener.close();
  });

  test("passes by the proxy where NO_PROXY lists the host", async () => {
    proxy = await connectProxy();
    vi.stubEnv("HTTP_PROXY", proxy.url);
    vi.stubEnv("NO_PROXY", "example.org,127.0.0.1");
    const { listener, near, far } = await connectPair(transport(), url);
    expect(proxy.targets).toEqual([]);
    for (const pipe of [near, far]) pipe.close(true);
    await listener.close();
  });

  test("gives the proxy the user and password of its URL, and says so where it refuses them", async () => {
    proxy = await connectProxy("Basic bWU6c2VjcmV0");
    vi.stubEnv("HTTP_PROXY", proxy.url.replace("//", "//me:secret@"));
    const { listener, near, far } = await connectPair(transport(), url);
    vi.stubEnv("HTTP_PROXY", proxy.url);
    await expect(transport().dial(listener.url, { signal })).rejects.toMatchObject({
      code: "CONNECT_FAILED",
      message: expect.stringMatching(/through the proxy .* answered 407/),
    });
    for (const pipe of [near, far]) pipe.close(true);
    await listener.close();
  });

  test("rejects with CONNECT_FAILED where the proxy is not there, and with TIMEOUT where it does not answer", async () => {
    proxy = await connectProxy();
    const gone = proxy;
    vi.stubEnv("HTTP_PROXY", gone.url);
    await gone.close();
    await expect(transport().dial({ ...url, port: 9 }, { signal })).rejects.toMatchObject({
      code: "CONNECT_FAILED",
      message: expect.stringContaining("proxy"),
    });
    proxy = await connectProxy("never");
    vi.stubEnv("HTTP_PROXY", proxy.url);
    await expect(transport().dial({ ...url, port: 9 }, { signal, timeout: 200 })).rejects.toMatchObject({ code: "TIMEOUT" });
  });
});
