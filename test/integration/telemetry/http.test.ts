import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { SILENT } from "../../../src/core/log.ts";
import { MeshError } from "../../../src/core/errors.ts";
import { type HttpServer, type HttpSources, startHttp } from "../../../src/telemetry/http.ts";

const sources: HttpSources = {
  notReady: () => [],
  metrics: async () => ({ contentType: "text/plain; version=0.0.4", text: "receptor_links 1\n" }),
  status: () => ({ node: "a" }),
};

const servers: HttpServer[] = [];

async function started(changes: Partial<HttpSources> = {}, address = "127.0.0.1:0", timeout = 5_000): Promise<HttpServer> {
  const server = await startHttp({ address, log: SILENT, timeout }, { ...sources, ...changes });
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

interface Reply {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly allow: string | undefined;
  readonly body: string;
}

async function ask(server: HttpServer, path: string, options: { method?: string; host?: string; body?: string } = {}): Promise<Reply> {
  const headers = options.host === undefined ? {} : { host: options.host };
  const asked = request(`${server.url}${path}`, { method: options.method ?? "GET", headers, agent: false });
  asked.end(options.body);
  const [response] = await once(asked, "response");
  let body = "";
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, type: response.headers["content-type"], allow: response.headers.allow, body };
}

describe("startHttp", () => {
  test("serves its four pages", async () => {
    const server = await started();
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    expect(await ask(server, "/healthz")).toMatchObject({ status: 200, body: '{"alive":true}\n' });
    expect(await ask(server, "/readyz")).toMatchObject({ status: 200, body: '{"ready":true,"reasons":[]}\n' });
    expect(await ask(server, "/metrics?x=1")).toMatchObject({ status: 200, type: "text/plain; version=0.0.4", body: "receptor_links 1\n" });
    expect(await ask(server, "/status")).toMatchObject({ status: 200, type: "application/json; charset=utf-8", body: '{"node":"a"}\n' });
  });

  test("says why the node is not ready", async () => {
    const server = await started({ notReady: () => ["the store takes no writes"] });
    expect(await ask(server, "/readyz")).toMatchObject({ status: 503, body: '{"ready":false,"reasons":["the store takes no writes"]}\n' });
    expect((await ask(server, "/healthz")).status).toBe(200);
  });

  test("answers HEAD without a body, other methods with 405, other paths with 404", async () => {
    const server = await started();
    expect(await ask(server, "/status", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    expect(await ask(server, "/status", { method: "POST", body: "x" })).toMatchObject({ status: 405, allow: "GET, HEAD" });
    for (const path of ["/", "/statu", "/status/", "/__proto__", "/constructor"]) expect((await ask(server, path)).status).toBe(404);
  });

  test("on loopback answers only for loopback names", async () => {
    const server = await started();
    for (const host of ["localhost", "LOCALHOST:1234", "127.0.0.1:80", "[::1]:9", "localhost."]) {
      expect((await ask(server, "/status", { host })).status, host).toBe(200);
    }
    for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1"]) {
      expect((await ask(server, "/status", { host })).status, host).toBe(403);
    }
  });

  test("answers 500 with the code where a page fails, and 503 where it takes too long", async () => {
    const server = await started(
      {
        status: () => {
          throw new MeshError("CLOSED", "the node is closed");
        },
        metrics: () => new Promise(() => undefined),
      },
      "127.0.0.1:0",
      50,
    );
    expect(await ask(server, "/status")).toMatchObject({
      status: 500,
      body: '{"error":{"code":"CLOSED","message":"the node is closed"}}\n',
    });
    expect((await ask(server, "/metrics")).status).toBe(503);
    expect((await ask(server, "/healthz")).status).toBe(200);
  });

  test("rejects with LISTEN_FAILED where the port is in use, and INVALID_ARGUMENT where the address is none", async () => {
    const server = await started();
    await expect(startHttp({ address: server.url.slice("http://".length), log: SILENT }, sources)).rejects.toMatchObject({
      code: "LISTEN_FAILED",
      message: expect.stringContaining("in use"),
    });
    await expect(startHttp({ address: "nowhere", log: SILENT }, sources)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("closes in bounded time with a connection that says nothing and one that waits for its answer", async () => {
    const server = await started({ metrics: () => new Promise(() => undefined) });
    const port = Number(new URL(server.url).port);
    const silent = connect(port, "127.0.0.1");
    const waiting = connect(port, "127.0.0.1");
    await Promise.all([once(silent, "connect"), once(waiting, "connect")]);
    waiting.on("error", () => undefined);
    silent.on("error", () => undefined);
    waiting.write("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n");
    silent.write("GET /");
    const begun = performance.now();
    await server.close();
    await server.close();
    expect(performance.now() - begun).toBeLessThan(3_000);
    silent.destroy();
    waiting.destroy();
  });
});
