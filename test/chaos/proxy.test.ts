import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FaultProxy } from "../support/fault-proxy.ts";
import { until } from "../support/mesh.ts";

let server: Server;
let proxy: FaultProxy;
const sockets: Socket[] = [];

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  proxy = await FaultProxy.open(address.port);
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await proxy.close();
  server.close();
});

interface End {
  readonly socket: Socket;
  text: string;
  ended: boolean;
}

function end(socket: Socket): End {
  const it: End = { socket, text: "", ended: false };
  sockets.push(socket);
  socket.on("data", (bytes: Buffer) => (it.text += bytes.toString("latin1")));
  socket.on("end", () => (it.ended = true));
  socket.on("error", () => undefined);
  return it;
}

function dial(): End {
  return end(connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true }));
}

/** Both ends of a connection that goes through. */
async function pair(): Promise<{ readonly dialler: End; readonly listener: End }> {
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const dialler = dial();
  const [socket] = await accepted;
  return { dialler, listener: end(socket) };
}

async function arrives(at: End, text: string): Promise<number> {
  return (await until(() => (at.text === text ? true : undefined), 5_000, `${text.length} bytes arrive, of which ${at.text.length} did`))
    .milliseconds;
}

const quiet = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function errorOf({ socket }: End): Promise<string | undefined> {
  await until(() => (socket.destroyed ? true : undefined), 5_000, "the socket closes");
  const { errored } = socket;
  return errored !== null && "code" in errored ? String(errored.code) : undefined;
}

describe("FaultProxy", () => {
  test("passes bytes, ends and resets on, both ways", async () => {
    const { dialler, listener } = await pair();
    dialler.socket.write("there");
    listener.socket.write("back");
    await arrives(listener, "there");
    await arrives(dialler, "back");
    dialler.socket.end("bye");
    await until(() => (listener.ended ? true : undefined), 5_000, "the end comes through");
    expect(listener.text).toBe("therebye");
    listener.socket.write("still");
    await arrives(dialler, "backstill");
    listener.socket.resetAndDestroy();
    expect(await errorOf(dialler)).toBe("ECONNRESET");
    await until(() => (proxy.size === 0 ? true : undefined), 5_000, "nothing is left");
  });

  test("resets who dials while nobody listens", async () => {
    proxy.target = undefined;
    expect(await errorOf(dial())).toBe("ECONNRESET");
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    proxy.target = (closed.address() as { port: number }).port;
    closed.close();
    await once(closed, "close");
    expect(await errorOf(dial())).toBe("ECONNRESET");
  });

  test("delays one direction, in order, and leaves the other alone", async () => {
    const { dialler, listener } = await pair();
    proxy.set({ out: { delay: 300 } });
    const began = performance.now();
    dialler.socket.write("a");
    await quiet(50);
    dialler.socket.write("b");
    listener.socket.write("x");
    await arrives(dialler, "x");
    expect(performance.now() - began).toBeLessThan(300);
    expect(listener.text).toBe("");
    await arrives(listener, "ab");
    expect(performance.now() - began).toBeGreaterThanOrEqual(349);
    proxy.clear();
    const again = performance.now();
    dialler.socket.write("c");
    await arrives(listener, "abc");
    expect(performance.now() - again).toBeLessThan(300);
  });

  test("throttles to so many bytes a second, and loses none", async () => {
    const { dialler, listener } = await pair();
    proxy.set({ out: { bytesPerSecond: 100_000 } });
    const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, at) => at % 251)).toString("latin1");
    const began = performance.now();
    dialler.socket.end(bytes, "latin1");
    await until(() => (listener.ended ? true : undefined), 10_000, "all has come");
    expect(listener.text === bytes).toBe(true);
    expect(performance.now() - began).toBeGreaterThanOrEqual(400);
  });

  test("stops reading what it cannot pass on", async () => {
    const { dialler, listener } = await pair();
    proxy.set({ out: { hole: true } });
    const megabyte = Buffer.alloc(1024 * 1024, 1);
    let written = 0;
    while (dialler.socket.writableLength < 8 * megabyte.length) {
      dialler.socket.write(megabyte);
      written += megabyte.length;
      await quiet(5);
    }
    expect(listener.text).toBe("");
    proxy.clear();
    await until(() => (listener.text.length === written ? true : undefined), 10_000, "all has come");
  });

  test("swallows one direction until the line is whole, then lets all of it through", async () => {
    const { dialler, listener } = await pair();
    proxy.set({ out: { hole: true } });
    dialler.socket.write("lost");
    listener.socket.write("heard");
    await arrives(dialler, "heard");
    dialler.socket.end();
    await quiet(100);
    expect(listener).toMatchObject({ text: "", ended: false });
    proxy.clear();
    await arrives(listener, "lost");
    await until(() => (listener.ended ? true : undefined), 5_000, "the end comes through");
  });

  test("swallows a reset, and a new connection, while the line is cut both ways", async () => {
    const { dialler, listener } = await pair();
    proxy.set({ out: { hole: true }, back: { hole: true } });
    const accepted: End[] = [];
    server.on("connection", (socket) => accepted.push(end(socket)));
    const late = dial();
    late.socket.write("hello?");
    dialler.socket.resetAndDestroy();
    await quiet(100);
    expect(accepted).toEqual([]);
    expect(listener.socket.destroyed).toBe(false);
    expect(late.socket.destroyed).toBe(false);
    proxy.clear();
    expect(await errorOf(listener)).toBe("ECONNRESET");
    await until(() => (accepted[0]?.text === "hello?" ? true : undefined), 5_000, "the late one is let through");
  });

  test("resets both ends", async () => {
    const { dialler, listener } = await pair();
    proxy.reset();
    expect(await errorOf(dialler)).toBe("ECONNRESET");
    expect(await errorOf(listener)).toBe("ECONNRESET");
    expect(proxy.size).toBe(0);
  });

  test("ends one direction and carries the other", async () => {
    const { dialler, listener } = await pair();
    proxy.halfClose("out");
    await until(() => (listener.ended ? true : undefined), 5_000, "the listener sees an end");
    dialler.socket.write("nobody hears this");
    listener.socket.write("this is heard");
    await arrives(dialler, "this is heard");
    expect(listener.text).toBe("");
    expect(dialler).toMatchObject({ ended: false });
    listener.socket.end();
    await until(() => (dialler.ended ? true : undefined), 5_000, "the dialler sees an end too");
  });
});
