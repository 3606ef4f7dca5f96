import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { isMeshError } from "../../../src/core/errors.ts";
import { transportCompliance } from "../../../src/transports/compliance.ts";
import { connectPair, randomChunks, Recorder, writeAll } from "../../../src/transports/compliance-kit.ts";
import { TlsTransport } from "../../../src/transports/tls.ts";
import { TlsSettings } from "../../../src/transports/tls-settings.ts";
import { readTlsFiles, type TlsOptions } from "../../../src/transports/tls-options.ts";
import type { ListenHandlers } from "../../../src/transports/transport.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";
import { type Issued, TestAuthority } from "../../support/certificates.ts";
import { hasIpv6 } from "../../support/ipv6.ts";

const url = parseMeshUrl("tls://127.0.0.1:0");
const signal = new AbortController().signal;
let authority: TestAuthority;
let other: TestAuthority;
let leaf: Issued;

beforeAll(async () => {
  [authority, other] = await Promise.all([TestAuthority.create(), TestAuthority.create("another authority")]);
  leaf = await authority.issue("node");
});

const transport = (options: TlsOptions): TlsTransport => new TlsTransport(new TlsSettings(options));
const mutual = (): TlsOptions => ({ ...leaf, ca: authority.ca });

describe("TlsTransport", () => {
  transportCompliance({
    test,
    setup: () => ({ transport: transport(mutual()), url, handshake: true, ...(hasIpv6 && { url6: parseMeshUrl("tls://[::1]:0") }) }),
  });

  test("marks both ends as secure", async () => {
    const { listener, near, far } = await connectPair(transport(mutual()), url);
    expect([near.secure, far.secure]).toEqual([true, true]);
    expect(far.remote).toMatch(/^tls:\/\/127\.0\.0\.1:\d+$/);
    near.close(true);
    far.close(true);
    await listener.close();
  });

  test("reads into one shared buffer at both ends on this version of Node, and keeps chunks apart", async () => {
    const pairs = await Promise.all(Array.from({ length: 6 }, () => connectPair(transport(mutual()), url)));
    const buffers = new Set<ArrayBufferLike>();
    const ends = pairs.map(({ near, far }, at) => {
      // Each chunk, while it is still being read, goes on to the next pair, as a relay does.
      const next = pairs[at + 1]?.near;
      const atFar = new Recorder((chunk) => {
        buffers.add(chunk.buffer);
        next?.write(chunk.slice());
        far.write(Uint8Array.of(1));
      });
      const atNear = new Recorder((chunk) => buffers.add(chunk.buffer));
      near.open(atNear);
      far.open(atFar);
      return { near, atNear, atFar };
    });
    const [first, last] = [ends[0], ends.at(-1)];
    if (first === undefined || last === undefined) throw new TypeError("no pairs");
    const sent = await writeAll(first.near, first.atNear, randomChunks(5, 300_000, 40_000));
    await last.atFar.until("all bytes", () => last.atFar.received === 300_000);
    expect(last.atFar.digest()).toBe(sent);
    await last.atNear.until("answers", () => last.atNear.received > 0);
    expect(buffers.size).toBe(1);
    for (const { near, far, listener } of pairs) {
      near.close(true);
      far.close(true);
      await listener.close();
    }
  });

  test.each([
    ["an expired certificate", "expired: renew it", async () => ({ ...(await authority.issue("old", { days: -1 })), ca: authority.ca })],
    ["an authority that is not trusted", "not trusted here", async () => ({ ...(await other.issue("stranger")), ca: other.ca })],
    [
      "another host's name",
      "for another host name",
      async () => ({ ...(await authority.issue("b", { names: [{ type: "dns", value: "b.example" }] })), ca: authority.ca }),
    ],
  ])("refuses a listener with %s", async (_, message, make) => {
    await expect(dialTo(await make(), mutual())).rejects.toSatisfy(
      (error) => isMeshError(error, "CONNECT_FAILED") && error.message.includes(message),
    );
  });

  test("dials a host that its certificate does not name where verifyHost is false", async () => {
    const elsewhere = await authority.issue("b", { names: [{ type: "url", value: "mesh://m/node/b" }] });
    await dialTo({ ...elsewhere, ca: authority.ca }, { ...mutual(), verifyHost: false });
  });

  test.each([
    ["without a certificate", "requires a certificate", async () => ({ ca: authority.ca })],
    ["with an expired certificate", undefined, async () => ({ ...(await authority.issue("old", { days: -1 })), ca: authority.ca })],
    ["with another authority's certificate", undefined, async () => ({ ...(await other.issue("stranger")), ca: authority.ca })],
  ])("with a ca, lets nobody in who dials %s", async (_, message, make) => {
    const pipes: unknown[] = [];
    const listener = await transport(mutual()).listen(url, { onPipe: (pipe) => pipes.push(pipe) });
    // In TLS 1.3 the dialler is finished before the listener has judged it.
    const pipe = await transport(await make()).dial(listener.url, { signal });
    const recorder = new Recorder();
    pipe.open(recorder);
    await recorder.closed();
    // Node's TLS server ends a connection whose certificate it does not trust without saying why.
    if (message !== undefined) expect(recorder.error).toMatchObject({ code: "CONNECT_FAILED", message: expect.stringContaining(message) });
    expect(recorder.received).toBe(0);
    expect(pipes).toEqual([]);
    await listener.close();
  });

  test("without a certificate, does not listen", async () => {
    await expect(transport({}).listen(url, { onPipe: () => undefined })).rejects.toMatchObject({ code: "LISTEN_FAILED" });
  });

  test("uses replaced certificates for new connections and keeps the open ones", async () => {
    const settings = new TlsSettings(mutual());
    const server = new TlsTransport(settings);
    const { listener, near, far } = await connectPair(server, url);
    settings.replace({ ...(await other.issue("node")), ca: other.ca });
    await expect(transport(mutual()).dial(listener.url, { signal })).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    const renewed = await new TlsTransport(settings).dial(listener.url, { signal });
    const [atNear, atFar] = [new Recorder(), new Recorder()];
    near.open(atNear);
    far.open(atFar);
    near.write(new Uint8Array(3));
    await atFar.until("3 bytes", () => atFar.received === 3);
    for (const pipe of [renewed, near, far]) pipe.close(true);
    await listener.close();
  });

  test("keeps the certificates in use where the replacement is wrong", () => {
    const settings = new TlsSettings(mutual());
    const before = settings.current;
    expect(() => settings.replace({ ...mutual(), cert: "no certificate" })).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(settings.current).toBe(before);
  });

  async function dialTo(server: TlsOptions, client: TlsOptions): Promise<void> {
    const handlers: ListenHandlers = { onPipe: (pipe) => pipe.close(true) };
    const listener = await transport(server).listen(url, handlers);
    try {
      (await transport(client).dial(listener.url, { signal })).close(true);
    } finally {
      await listener.close();
    }
  }
});

describe("readTlsFiles", () => {
  test("reads what fits together, and names a file that is missing", async () => {
    const folder = await mkdtemp(join(tmpdir(), "receptor-tls-"));
    try {
      const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem"), ca: join(folder, "ca.pem") };
      await Promise.all([writeFile(files.cert, leaf.cert), writeFile(files.key, leaf.key), writeFile(files.ca, authority.ca)]);
      expect(String((await readTlsFiles(files)).cert)).toBe(leaf.cert);
      await writeFile(files.key, (await authority.issue("another")).key);
      await expect(readTlsFiles(files)).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining("cannot be used"),
      });
      await rm(files.ca);
      await expect(readTlsFiles(files)).rejects.toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining(files.ca) });
      await expect(readTlsFiles({ cert: files.cert })).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining("only one"),
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
