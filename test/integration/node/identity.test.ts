import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MeshNode, NodeOptions } from "receptor-mesh";
import type { MeshError } from "../../../src/core/errors.ts";
import { identityFiles } from "../../../src/identity/paths.ts";
import { connectMesh } from "../../../src/node/connect.ts";
import { createNode, type CreateExtra } from "../../../src/node/create.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { encodeHello, type Greeting } from "../../../src/wire/greeting.ts";
import { connectAs, enrolled, found } from "../../support/members.ts";
import { until } from "../../support/mesh.ts";
import { greetingOf, linkFrame, RawPeer } from "../hostile/raw-peer.ts";

const LISTEN = ["tls://127.0.0.1:0"];
let folder = "";
let open: { close(): unknown }[] = [];
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "receptor-identity-"));
  await found(at("hub"));
});

afterEach(async () => {
  for (const one of open.toReversed()) await one.close();
  open = [];
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

async function node(name: string, options: NodeOptions = {}, extra: CreateExtra = {}): Promise<MeshNode> {
  const started = await createNode({ dataDir: at(name), listen: LISTEN, ...options }, extra);
  open.push(started);
  return started;
}

const urlOf = (started: MeshNode): string => started.listening[0] ?? "";

describe("createNode with the certificate of a mesh in its data folder", () => {
  it("goes by the id in it, links over TLS alone, and runs no plugin that nobody named", async () => {
    await enrolled(at("hub"), at("a"), "alpha");
    const hub = await node("hub");
    const alpha = await node("a", { peers: [urlOf(hub).replace("tls://", "")] });
    await alpha.reachable("hub");
    expect([hub.id, alpha.id]).toEqual(["hub", "alpha"]);
    expect(alpha.status().links).toMatchObject([{ peer: "hub", secure: true }]);
    expect(hub.status().links).toMatchObject([{ peer: "alpha", secure: true }]);
    expect(hub.status().warnings).toEqual([]);
    expect((await alpha.ping("hub")).hops).toBe(1);
    // What is built in and tells that the hub signs.
    expect(alpha.status().nodes[0]?.plugins).toMatchObject([{ name: "mesh", actions: ["renew"] }]);
  });

  it("refuses another id, and a group that its certificate does not have, with CERTIFICATE_INVALID", async () => {
    await enrolled(at("hub"), at("a"), "alpha", { groups: ["web*"] });
    await expect(node("a", { id: "beta" })).rejects.toMatchObject({
      code: "CERTIFICATE_INVALID",
      data: { node: "beta", certified: "alpha" },
    });
    await expect(node("a", { groups: ["web-1", "db"] })).rejects.toMatchObject({ code: "CERTIFICATE_INVALID", message: /"db"/ });
    expect((await node("a", { groups: ["web-1"] })).id).toBe("alpha");
  });

  it("refuses the certificate of another node, and another's key, with CERTIFICATE_INVALID", async () => {
    await enrolled(at("hub"), at("a"), "alpha");
    const { certificate: cert, key, authority: ca } = identityFiles(at("a"));
    await expect(node("c", { id: "gamma", tls: { cert, key, ca } })).rejects.toMatchObject({ code: "CERTIFICATE_INVALID" });
    const tls = { cert, key: identityFiles(at("hub")).key, ca };
    await expect(node("c", { tls })).rejects.toMatchObject({ code: "CERTIFICATE_INVALID", message: /is not for the key/ });
  });

  it("refuses a certificate whose authority it does not trust itself, and says what to do, with CERTIFICATE_INVALID", async () => {
    await found(at("other"), "ffeeddccbbaa9988");
    const { certificate: cert, key } = identityFiles(at("hub"));
    const tls = { cert, key, ca: identityFiles(at("other")).authority };
    await expect(node("c", { tls })).rejects.toMatchObject({ code: "CERTIFICATE_INVALID", message: /put the one that signed it there/ });
  });

  it("dials nobody beyond this machine in plain text, and says where others may come in so", async () => {
    await expect(node("hub", { peers: ["tcp://192.0.2.1:8888"] })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    const hub = await node("hub", { listen: [...LISTEN, "tcp://127.0.0.1:0"] });
    expect(hub.status().warnings).toEqual([expect.stringMatching(/^tcp:.*without a certificate/)]);
  });

  it("lets in commands with its certificate, under its name with an ending", async () => {
    await enrolled(at("hub"), at("a"), "alpha");
    const hub = await node("hub");
    const { certificate: cert, key, authority: ca } = identityFiles(at("a"));
    const command = await connectMesh({ peers: [urlOf(hub)], config: { tls: { cert, key, ca } } });
    open.push(command);
    expect(command.id).toMatch(/^alpha:cli-[0-9a-f]{12}$/);
    expect((await command.ping("hub")).hops).toBe(1);
  });
});

describe("a member under a name that is not its own", () => {
  let hub: MeshNode;
  let fatal: MeshError[] = [];

  beforeEach(async () => {
    fatal = [];
    await enrolled(at("hub"), at("a"), "alpha");
    hub = await node("hub", {}, { onFatal: (error) => fatal.push(error) });
  });

  async function greets(greeting: Greeting): Promise<RawPeer> {
    const peer = new RawPeer(greeting.node, connectAs(at("a"), urlOf(hub)));
    open.push(peer);
    peer.send(linkFrame(FRAME.hello, encodeHello(greeting)));
    return peer;
  }

  it("is refused with DENIED, and is a link under its own", async () => {
    expect(await (await greets(greetingOf("beta"))).end()).toBe("DENIED");
    expect(await (await greets({ ...greetingOf("beta:cli-0123456789ab"), ephemeral: true })).end()).toBe("DENIED");
    expect(await (await greets(greetingOf("alpha:cli-0123456789ab"))).end()).toBe("DENIED");
    const honest = await greets(greetingOf("alpha"));
    // Nothing but an admitted peer hears a sign of life.
    await honest.hears(FRAME.keepalive);
  });

  it("does not drive out the node whose name it takes, however old it says it is", async () => {
    expect(await (await greets({ ...greetingOf("hub"), uptime: 1e12 })).end()).toBe("DENIED");
    expect(fatal).toEqual([]);
    await enrolled(at("hub"), at("b"), "beta");
    const beta = await node("b", { peers: [urlOf(hub)] });
    await beta.reachable("hub");
    await (await greets({ ...greetingOf("beta"), uptime: 1e12 })).end();
    await until(() => (hub.status().links.length === 1 ? true : undefined), 5_000, "the honest link stays");
    expect(beta.status().links).toMatchObject([{ peer: "hub" }]);
  });
});
