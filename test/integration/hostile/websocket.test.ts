import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { createNode } from "receptor-mesh";
import { FRAME } from "../../../src/wire/frame.ts";
import { encodeHello, encodeKeepalive } from "../../../src/wire/greeting.ts";
import { within } from "../../support/mesh.ts";
import { greetingOf, linkFrame } from "./raw-peer.ts";
import { Target } from "./target.ts";

const SOON = 15_000;

let target: Target;

beforeEach(async () => {
  target = await Target.start();
});
afterEach(async () => {
  await target.close();
});

/** Resolves to the code with which the node closes it. */
async function closed(ws: WebSocket): Promise<number> {
  const [code] = (await within(once(ws, "close"), SOON, "the node closes the WebSocket")) as [number];
  return code;
}

describe("a node's WebSocket listener", () => {
  it("does not negotiate compression", async () => {
    const ws = new WebSocket(target.ws, { perMessageDeflate: true });
    await once(ws, "open");
    expect(ws.extensions).toBe("");
    ws.terminate();
    await target.serves();
  });

  it("closes at a text message, and at one over 1 MiB before it is whole", async () => {
    const text = new WebSocket(target.ws);
    await once(text, "open");
    text.send("hello");
    expect(await closed(text)).toBe(1003);
    const large = new WebSocket(target.ws);
    large.on("error", () => undefined);
    await once(large, "open");
    large.send(new Uint8Array(1_048_577));
    expect(await closed(large)).toBe(1009);
    await target.serves();
  });

  it("takes frames that are cut anywhere, and many in one message", async () => {
    const ws = new WebSocket(target.ws);
    await once(ws, "open");
    const greeting = [...linkFrame(FRAME.hello, encodeHello(greetingOf("cut"))), ...linkFrame(FRAME.keepalive, encodeKeepalive(1))];
    for (const byte of greeting) ws.send(Uint8Array.of(byte));
    ws.send(linkFrame(FRAME.message, new Uint8Array(8)));
    expect(await closed(ws)).toBe(1000);
    expect(await target.errors("PROTOCOL_ERROR")).toBe(1);
    await target.serves();
  });

  it("lets honest nodes in past handshakes that never end", async () => {
    const { hostname, port } = new URL(target.ws);
    const sockets = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => await target.stranger(`tcp://${hostname}:${port}`, `127.0.2.${1 + i}`)),
    );
    for (const socket of sockets) socket.send(new TextEncoder().encode("GET / HTTP/1.1\r\n"));
    await using honest = await createNode({ id: "honest", listen: [], peers: [target.ws], plugins: {} });
    await honest.reachable("target", { timeout: 2_000 });
    await honest.ping("target");
  });
});
