import { createServer, type Server } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import plugin from "../src/index.ts";
import { collect, isEndedBy, type Received, type RunOptions, runAction } from "../../../test/support/plugin-harness.ts";

let server: Server;
let base = "";
let hanging = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? "";
    if (path === "/hello") response.setHeader("set-cookie", ["a=1", "b=2"]).end("hello");
    else if (path === "/gzip") response.setHeader("content-encoding", "gzip").end(gzipSync("unpacked"));
    else if (path === "/missing") response.writeHead(404).end("no");
    else if (path === "/none") response.writeHead(204).end();
    else if (path === "/large") response.end(Buffer.alloc(200_000, 7));
    else if (path === "/large-chunked") {
      response.write(Buffer.alloc(100_000));
      response.end(Buffer.alloc(100_000));
    } else if (path === "/broken") response.writeHead(200, { "content-length": "10" }).write("half", () => response.destroy());
    else if (path === "/hang") hanging++;
    else if (path === "/round") response.writeHead(302, { location: "/round" }).end();
    else if (path.startsWith("/to?")) response.writeHead(Number(path.slice(4, 7)), { location: decodeURIComponent(path.slice(8)) }).end();
    else {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { authorization, "content-type": type } = request.headers;
        response.end(JSON.stringify({ method: request.method, authorization, type, body: Buffer.concat(chunks).toString() }));
      });
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  base = `http://127.0.0.1:${address.port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const run = (payload: unknown, options: object = {}, more: RunOptions = {}): Promise<Received[]> =>
  collect(
    runAction(plugin, "run", typeof payload === "string" ? payload : JSON.stringify(payload), {
      options: { allow: ["http://127.0.0.1:*/*"], ...options },
      ...more,
    }),
  );

const seenBy = (responses: readonly Received[]): unknown => JSON.parse(String(responses[1]?.payload));

describe("http:run", () => {
  it("answers status and headers, then the body as a stream", async () => {
    const [head, body, ...rest] = await run(`${base}/hello`);
    expect(head).toMatchObject({
      streamed: false,
      payload: { status: 200, url: `${base}/hello`, headers: { "set-cookie": ["a=1", "b=2"] } },
    });
    expect(body).toMatchObject({ streamed: true, payload: Buffer.from("hello") });
    expect(rest).toEqual([]);
  });

  it("takes any status as an answer", async () => {
    expect((await run({ url: `${base}/missing` }))[0]?.payload).toMatchObject({ status: 404 });
    expect(await run({ url: `${base}/none` })).toHaveLength(1);
  });

  it("unpacks a body, and then does not claim that it is packed", async () => {
    const [head, body] = await run(`${base}/gzip`);
    expect(String(body?.payload)).toBe("unpacked");
    expect(head?.payload).not.toHaveProperty("headers.content-encoding");
    expect(head?.payload).not.toHaveProperty("headers.content-length");
  });

  it("sends method, headers and body", async () => {
    const asked = { url: `${base}/see`, method: "post", headers: { authorization: "Bearer x", "content-type": "text/x" }, body: "grüße" };
    expect(seenBy(await run(asked))).toEqual({ method: "POST", authorization: "Bearer x", type: "text/x", body: "grüße" });
    expect(seenBy(await run({ url: `${base}/see`, method: "PUT", body: { a: 1 } }))).toMatchObject({
      type: "application/json",
      body: '{"a":1}',
    });
  });

  it("refuses everything without configuration, and says what to put there", async () => {
    await expect(run(`${base}/hello`, { allow: [] })).rejects.toMatchObject({
      code: "DENIED",
      message: expect.stringContaining("http: { allow:"),
    });
  });

  it("refuses a URL outside of the list, before and after a redirect", async () => {
    const options = { allow: [`${base}/to*`, `${base}/see`] };
    await expect(run(`${base}/hello`, options)).rejects.toMatchObject({ code: "DENIED" });
    await expect(run(`${base}/to?302=${encodeURIComponent("/hello")}`, options)).rejects.toMatchObject({
      code: "DENIED",
      message: expect.stringContaining("redirect"),
    });
    expect(seenBy(await run(`${base}/to?302=${encodeURIComponent("/see")}`, options))).toMatchObject({ method: "GET" });
  });

  it("repeats method and body only for 307 and 308", async () => {
    const ask = (status: number): unknown => ({ url: `${base}/to?${status}=/see`, method: "POST", body: "x" });
    for (const status of [301, 302, 303]) expect(seenBy(await run(ask(status)))).toMatchObject({ method: "GET", body: "" });
    for (const status of [307, 308]) expect(seenBy(await run(ask(status)))).toMatchObject({ method: "POST", body: "x" });
  });

  it("does not carry secrets to another origin", async () => {
    const other = `http://localhost:${new URL(base).port}/see`;
    const headers = { Authorization: "Bearer x" };
    const options = { allow: ["http://127.0.0.1:*/*", "http://localhost:*/*"] };
    expect(seenBy(await run({ url: `${base}/to?307=${encodeURIComponent(other)}`, headers }, options))).not.toHaveProperty("authorization");
    expect(seenBy(await run({ url: `${base}/to?307=/see`, headers }, options))).toMatchObject({ authorization: "Bearer x" });
  });

  it("gives up on endless redirects", async () => {
    await expect(run(`${base}/round`, { maxRedirects: 3 })).rejects.toMatchObject({
      message: expect.stringContaining("more than 3 times"),
    });
  });

  it("limits the body, announced or not", async () => {
    for (const path of ["/large", "/large-chunked"]) {
      await expect(run(base + path, { maxBytes: 150_000 })).rejects.toMatchObject({
        code: "TOO_LARGE",
        message: expect.stringContaining("150000"),
      });
      expect((await run(base + path, { maxBytes: 200_000 }))[1]?.payload).toHaveLength(200_000);
    }
  });

  it("says when the time is over", async () => {
    await expect(run({ url: `${base}/hang`, timeout: 30 })).rejects.toMatchObject({ code: "TIMEOUT" });
    await expect(run({ url: `${base}/hang`, timeout: 60_000 }, { timeout: 30 })).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it("says so also where garbage was collected meanwhile", async () => {
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    const ended = expect(run({ url: `${base}/hang`, timeout: 300 })).rejects.toMatchObject({ code: "TIMEOUT" });
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      if (typeof collect === "function") collect();
    }
    await ended;
  });

  it("ends with the signal's reason when it is cancelled", async () => {
    const abort = new AbortController();
    const reason = new Error("cancelled");
    const before = hanging;
    const running = run(`${base}/hang`, {}, { signal: abort.signal });
    const ended = expect(running).rejects.toSatisfy(isEndedBy(reason));
    await expect.poll(() => hanging).toBe(before + 1);
    abort.abort(reason);
    await ended;
  });

  it("says that a server cannot be reached, or broke off", async () => {
    await expect(run("http://127.0.0.1:1/")).rejects.toMatchObject({
      code: "CONNECT_FAILED",
      message: expect.stringMatching(/ECONNREFUSED|bad port/),
    });
    await expect(run(`${base}/broken`)).rejects.toMatchObject({ code: "STREAM_INCOMPLETE" });
  });

  it.each([
    "",
    "example.com",
    "file:///etc/passwd",
    "http://user:password@127.0.0.1/",
    "{",
    '{"url":1}',
    '{"url":"http://127.0.0.1/","methods":"GET"}',
    '{"url":"http://127.0.0.1/","method":"G T"}',
    '{"url":"http://127.0.0.1/","body":"x"}',
    '{"url":"http://127.0.0.1/","headers":{"a":"b\\r\\nc: d"}}',
    '{"url":"http://127.0.0.1/","timeout":0}',
  ])("refuses the payload %s with INVALID_ARGUMENT", async (payload) => {
    await expect(run(payload)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
