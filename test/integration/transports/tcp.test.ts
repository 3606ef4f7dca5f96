import { execFile } from "node:child_process";
import { createServer, connect, type Socket } from "node:net";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { adopt } from "../../../src/transports/adopt.ts";
import { transportCompliance } from "../../../src/transports/compliance.ts";
import { connectPair, Recorder } from "../../../src/transports/compliance-kit.ts";
import { Inlet } from "../../../src/transports/inlet.ts";
import { TcpTransport } from "../../../src/transports/tcp.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";
import { hasIpv6 } from "../../support/ipv6.ts";

const url = parseMeshUrl("tcp://127.0.0.1:0");

describe("TcpTransport", () => {
  transportCompliance({
    test,
    setup: () => ({ transport: new TcpTransport(), url, ...(hasIpv6 && { url6: parseMeshUrl("tcp://[::1]:0") }) }),
  });

  test("tells the end that did not abort of a reset", async () => {
    const server = createServer((socket) => socket.once("data", () => socket.resetAndDestroy())).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const pipe = await new TcpTransport().dial({ ...url, port }, { signal: new AbortController().signal });
    const recorder = new Recorder();
    pipe.open(recorder);
    pipe.write(new Uint8Array(1));
    await recorder.closed();
    expect(recorder.error).toMatchObject({ code: "CONNECT_FAILED", data: { reason: "ECONNRESET" } });
    server.close();
  });

  test("dials localhost whichever address of it is listened on", async () => {
    const { listener, near, far } = await connectPair(new TcpTransport(), parseMeshUrl("tcp://localhost:0"));
    const [atNear, atFar] = [new Recorder(), new Recorder()];
    near.open(atNear);
    far.open(atFar);
    near.write(new Uint8Array(9));
    await atFar.until("9 bytes", () => atFar.received === 9);
    near.close();
    await Promise.all([atNear.closed(), atFar.closed(), listener.close()]);
  });

  test.skipIf(process.platform === "win32")("out of descriptors, closes newcomers, tells of it, keeps its links and recovers", async () => {
    const script = fileURLToPath(new URL("../../support/out-of-descriptors.ts", import.meta.url));
    const command = `ulimit -n 64 && exec "${process.execPath}" --import tsx "${script}"`;
    const { stdout } = await promisify(execFile)("sh", ["-c", command], { timeout: 20_000 });
    const { troubles, during, echoed, served } = JSON.parse(stdout) as {
      troubles: (string | null)[];
      during: number;
      echoed: string;
      served: string;
    };
    expect(troubles).toHaveLength(2);
    expect(troubles[0]).toMatch(/cannot take more connections for now: .*ulimit -n/);
    expect(troubles[1]).toBeNull();
    expect(during).toBeGreaterThan(3);
    expect(during).toBeLessThan(32);
    expect([echoed, served]).toEqual(["x", "x"]);
  });
});

describe("adopt", () => {
  test("gives an accepted socket the shared buffer on this version of Node", async () => {
    const { accepted, client, close } = await acceptOne();
    const adopted = adopt(accepted, new Inlet());
    expect(adopted).not.toBe(accepted);
    expect(adopted.remotePort).toBe(client.localPort);
    adopted.destroy();
    await close();
  });

  test("falls back to data events where the internals are not as expected", async () => {
    const { accepted, client, close } = await acceptOne();
    const inlet = new Inlet();
    const stand = Object.assign(Object.create(accepted) as Socket, { _handle: {} });
    expect(adopt(stand, inlet)).toBe(stand);
    const recorder = new Recorder();
    inlet.open(recorder);
    accepted.resume();
    client.write("hello");
    await recorder.until("5 bytes", () => recorder.received === 5);
    accepted.destroy();
    await close();
  });

  async function acceptOne(): Promise<{ accepted: Socket; client: Socket; close(): Promise<void> }> {
    const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const client = connect(typeof address === "object" ? (address?.port ?? 0) : 0, "127.0.0.1");
    const [accepted] = (await once(server, "connection")) as [Socket];
    const close = async (): Promise<void> => {
      client.destroy();
      server.close();
      await Promise.resolve();
    };
    return { accepted, client, close };
  }
});
