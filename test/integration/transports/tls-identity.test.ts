import { once } from "node:events";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { MeshError } from "../../../src/core/errors.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { createIdentifier, readCertificate } from "../../../src/identity/certificate.ts";
import { parseIdentityRule } from "../../../src/identity/rule.ts";
import { askListener, seenCertificates } from "../../../src/transports/ask.ts";
import { connectPair, Recorder } from "../../../src/transports/compliance-kit.ts";
import { TlsTransport } from "../../../src/transports/tls.ts";
import { TlsSettings } from "../../../src/transports/tls-settings.ts";
import type { Asks, TlsOptions } from "../../../src/transports/tls-options.ts";
import type { Listener, Pipe } from "../../../src/transports/transport.ts";
import { parseMeshUrl } from "../../../src/transports/url.ts";
import { WsTransport } from "../../../src/transports/ws.ts";
import { type LeafOptions, TestAuthority } from "../../support/certificates.ts";
import { within } from "../../support/mesh.ts";

const signal = new AbortController().signal;
const PROTOCOL = "test-ask/1";
const MESH = "0011223344556677";
const tlsUrl = parseMeshUrl("tls://127.0.0.1:0");
let authority: TestAuthority;
let open: Listener[] = [];

beforeAll(async () => {
  authority = await TestAuthority.create();
});

afterEach(async () => {
  for (const listener of open) await listener.close();
  open = [];
});

const uri = (value: string) => ({ type: "url", value }) as const;
const member = (id: string, mesh = MESH) => uri(`mesh://${mesh}/node/${id}`);

/** Whoever has a certificate with these names. */
async function as(names: LeafOptions["names"], rule = "mesh", asks?: Asks): Promise<TlsOptions> {
  const leaf = await authority.issue("somebody", { names: names ?? [] });
  const identifier = createIdentifier(parseIdentityRule(rule), rule === "mesh" ? readCertificate((await own).cert, "own") : undefined);
  return {
    ...leaf,
    ca: authority.ca,
    verifyHost: false,
    nodeOf: (certificate) => identifier.nodeOf(certificate),
    ...(asks === undefined ? {} : { asks }),
  };
}

let own: ReturnType<TestAuthority["issue"]>;
beforeAll(() => {
  own = authority.issue("own", { names: [member("own")] });
});

const transports = {
  tls: (options: TlsOptions) => new TlsTransport(new TlsSettings(options)),
  wss: (options: TlsOptions) => new WsTransport(new TlsSettings(options)),
} as const;

/** What a listener with `options` says of who came. */
async function listen(scheme: "tls" | "wss", options: TlsOptions): Promise<{ listener: Listener; pipes: Pipe[]; refusals: MeshError[] }> {
  const pipes: Pipe[] = [];
  const refusals: MeshError[] = [];
  const listener = await transports[scheme](options).listen(parseMeshUrl(`${scheme}://127.0.0.1:0`), {
    onPipe: (pipe) => pipes.push(pipe),
    onRefused: (error) => refusals.push(error),
  });
  open.push(listener);
  return { listener, pipes, refusals };
}

describe.each(["tls", "wss"] as const)("%s with nodeOf", (scheme) => {
  test("tells both ends which node the other's certificate names", async () => {
    const near = transports[scheme](await as([member("alpha")]));
    const far = transports[scheme](await as([member("beta")]));
    const transport = { dial: near.dial.bind(near), listen: far.listen.bind(far) };
    const pair = await connectPair(transport, parseMeshUrl(`${scheme}://127.0.0.1:0`));
    open.push(pair.listener);
    expect([pair.near.certified, pair.far.certified]).toEqual(["beta", "alpha"]);
    for (const pipe of [pair.near, pair.far]) pipe.close(true);
  });

  test.each([
    ["no name", []],
    ["the name of a node in another mesh", [member("alpha", "ffffffffffffffff")]],
    ["two names", [member("alpha"), member("beta")]],
    ["a name and another URI", [member("alpha"), uri("https://alpha.example")]],
    ["a name that is no node id", [uri(`mesh://${MESH}/node/a b`)]],
  ])("refuses certificates with %s, at either end", async (_, names) => {
    const stranger = await as(names);
    const there = await listen(scheme, stranger);
    await expect(transports[scheme](await as([member("alpha")])).dial(there.listener.url, { signal })).rejects.toMatchObject({
      code: "CERTIFICATE_INVALID",
    });

    const here = await listen(scheme, await as([member("alpha")]));
    const closed = transports[scheme](stranger)
      .dial(here.listener.url, { signal })
      // In TLS 1.3 the dialler is finished before the listener has judged it; a WebSocket is not.
      .then(async (pipe) => {
        const recorder = new Recorder();
        pipe.open(recorder);
        await recorder.closed();
        return recorder.received;
      })
      .catch(() => 0);
    expect(await closed).toBe(0);
    expect(here.pipes).toEqual([]);
    expect(here.refusals.map(({ code }) => code)).toEqual(["CERTIFICATE_INVALID"]);
  });

  test("dials no listener whose certificate another authority has signed, or that has expired, whatever it names", async () => {
    const alpha = transports[scheme](await as([member("alpha")]));
    const other = await TestAuthority.create("another authority");
    const names = [member("beta")];
    for (const leaf of [await other.issue("beta", { names }), await authority.issue("beta", { names, days: -1 })]) {
      const there = await listen(scheme, { ...(await as(names)), ...leaf });
      await expect(alpha.dial(there.listener.url, { signal })).rejects.toMatchObject({ code: "CONNECT_FAILED" });
      expect(there.pipes).toEqual([]);
    }
  });
});

describe("a rule for certificates of another authority", () => {
  test.each([
    ["uri:spiffe://corp/mesh/{node}", [uri("spiffe://corp/mesh/alpha"), uri("https://x.example")], "alpha"],
    ["dns:{node}.mesh.example", [{ type: "dns" as const, value: "alpha.mesh.example" }], "alpha"],
    ["cn:{node}", [], "somebody"],
    ["none", [], undefined],
  ])("%s takes the node from it", async (rule, names, expected) => {
    const here = await listen("tls", await as(names, rule));
    const pipe = await transports.tls(await as(names, rule)).dial(here.listener.url, { signal });
    expect(pipe.certified).toBe(expected);
    pipe.close(true);
  });

  test.each([
    [
      "dns:{node}.mesh.example",
      [
        { type: "dns" as const, value: "a.mesh.example" },
        { type: "dns" as const, value: "b.mesh.example" },
      ],
    ],
    ["dns:{node}.mesh.example", [{ type: "dns" as const, value: ".mesh.example" }]],
    ["uri:spiffe://corp/mesh/{node}", [uri("spiffe://corp/mesh/a/b")]],
    ["cn:node-{node}", []],
  ])("%s refuses a certificate with none or several", async (rule, names) => {
    const there = await listen("tls", await as(names, "none"));
    await expect(transports.tls(await as([], rule)).dial(there.listener.url, { signal })).rejects.toMatchObject({
      code: "CERTIFICATE_INVALID",
    });
  });
});

describe("a listener that answers who has no certificate", () => {
  const echo: Asks = { protocol: PROTOCOL, limit: 64, answer: (question) => Promise.resolve(question) };
  const options: ConnectionOptions = { host: "127.0.0.1", minVersion: "TLSv1.3", checkServerIdentity: () => undefined };

  async function dialled(port: number, more: ConnectionOptions): Promise<TLSSocket> {
    const socket = connect({ ...options, port, ca: authority.ca, ...more });
    socket.on("error", () => undefined);
    await within(once(socket, "secureConnect"), 5_000, "the handshake");
    return socket;
  }

  async function ended(socket: TLSSocket): Promise<string> {
    let heard = "";
    socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
    if (!socket.destroyed) await within(once(socket, "close"), 8_000, "it hangs up");
    return heard;
  }

  const asked = { question: Buffer.from("hello"), limit: 64, check: () => undefined };
  const ask = { protocol: PROTOCOL, signal, timeout: 5_000 };

  test("answers one question, and lets members in as before", async () => {
    const here = await listen("tls", await as([member("alpha")], "mesh", echo));
    const question = { ...asked, authority: authority.ca };
    expect(Buffer.from(await askListener(here.listener.url, question, ask)).toString()).toBe("hello");
    expect(here.pipes).toEqual([]);
    const pipe = await transports.tls(await as([member("beta")])).dial(here.listener.url, { signal });
    expect(pipe.certified).toBe("alpha");
    pipe.close(true);
  });

  test("shows its certificate, and the authority's, to who trusts none yet", async () => {
    const leaf = await authority.issue("own", { names: [member("own")] });
    const here = await listen("tls", { ...leaf, cert: `${leaf.cert}\n${authority.ca}`, ca: authority.ca, asks: echo });
    const chain = await seenCertificates(here.listener.url, ask);
    expect(chain.map(({ subject }) => subject)).toEqual(["CN=own", "CN=test authority"]);
  });

  test("says nothing to who asks a listener of another authority", async () => {
    const questions: Uint8Array[] = [];
    const spy: Asks = {
      ...echo,
      answer: (question) => {
        questions.push(question);
        return echo.answer(question, "");
      },
    };
    const here = await listen("tls", await as([member("alpha")], "mesh", spy));
    const other = await TestAuthority.create("another authority");
    await expect(askListener(here.listener.url, { ...asked, authority: other.ca }, ask)).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    const picky = { ...asked, authority: authority.ca, check: () => thrown(new MeshError("CERTIFICATE_INVALID", "not this one")) };
    await expect(askListener(here.listener.url, picky, ask)).rejects.toMatchObject({ code: "CERTIFICATE_INVALID" });
    expect(questions).toEqual([]);
  });

  test("closes without a word who has no certificate and does not ask, and who asks too much", async () => {
    const here = await listen("tls", await as([member("alpha")], "mesh", echo));
    const { port } = here.listener.url;
    expect(await ended(await dialled(port, {}))).toBe("");
    expect(await ended(await dialled(port, { ALPNProtocols: ["http/1.1"] }))).toBe("");
    expect(here.refusals.map(({ code }) => code)).toEqual(["CERTIFICATE_INVALID", "CERTIFICATE_INVALID"]);
    const greedy = await dialled(port, { ALPNProtocols: [PROTOCOL] });
    greedy.write(Buffer.from([0, 0, 0, 65, 1]));
    expect(await ended(greedy)).toBe("");
    expect(here.pipes).toEqual([]);
  });

  test("closes without a word whose certificate is of another authority, or expired, whatever it names", async () => {
    const here = await listen("tls", await as([member("alpha")], "mesh", echo));
    const other = await TestAuthority.create("another authority");
    const names = [member("beta")];
    for (const leaf of [await other.issue("beta", { names }), await authority.issue("beta", { names, days: -1 })])
      expect(await ended(await dialled(here.listener.url.port, leaf))).toBe("");
    expect(here.pipes).toEqual([]);
    expect(here.refusals.map(({ code }) => code)).toEqual(["CERTIFICATE_INVALID", "CERTIFICATE_INVALID"]);
  });

  test("closes after 5 s who asks slowly", async () => {
    const here = await listen("tls", await as([member("alpha")], "mesh", echo));
    const slow = await dialled(here.listener.url.port, { ALPNProtocols: [PROTOCOL] });
    const began = performance.now();
    const drip = setInterval(() => slow.write(Buffer.from([0])), 1_500);
    await ended(slow);
    clearInterval(drip);
    expect(performance.now() - began).toBeLessThan(6_500);
  });

  test("does not take up a session again that began without a certificate", async () => {
    const here = await listen("tls", await as([member("alpha")], "mesh", echo));
    const { port } = here.listener.url;
    const first = await dialled(port, { ALPNProtocols: [PROTOCOL] });
    const tickets: Buffer[] = [];
    first.on("session", (ticket: Buffer) => tickets.push(ticket));
    first.write(Buffer.from([0, 0, 0, 1, 7]));
    await ended(first);
    const session = tickets.at(-1) ?? first.getSession();
    const second = await dialled(port, session === undefined ? {} : { session });
    expect(second.isSessionReused()).toBe(false);
    expect(await ended(second)).toBe("");
    expect(here.pipes).toEqual([]);
  });

  test("is told UNSUPPORTED where there is no such conversation", async () => {
    const here = await listen("tls", await as([member("alpha")]));
    await expect(seenCertificates(here.listener.url, ask)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    const quiet = await listen("tls", await as([member("alpha")], "mesh", { ...echo, answer: () => Promise.resolve(undefined) }));
    await expect(askListener(quiet.listener.url, { ...asked, authority: authority.ca }, ask)).rejects.toMatchObject({
      code: "PROTOCOL_ERROR",
    });
  });
});

test("TlsTransport without a rule proves no id", async () => {
  const plain = { ...(await authority.issue("x")), ca: authority.ca };
  const transport = transports.tls(plain);
  const pair = await connectPair(transport, tlsUrl);
  open.push(pair.listener);
  expect([pair.near.certified, pair.far.certified]).toEqual([undefined, undefined]);
  for (const pipe of [pair.near, pair.far]) pipe.close(true);
  expect(nodeId("x")).toBe("x");
});

function thrown(error: MeshError): never {
  throw error;
}
