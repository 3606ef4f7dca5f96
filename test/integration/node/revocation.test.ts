import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MeshNode, NodeOptions } from "receptor-mesh";
import type { MeshError } from "../../../src/core/errors.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { DenyList } from "../../../src/identity/deny-list.ts";
import { identityFiles } from "../../../src/identity/paths.ts";
import { namesOf } from "../../../src/identity/certificate.ts";
import { createNode, type CreateExtra } from "../../../src/node/create.ts";
import { listRevoked, revoke } from "../../../src/node/membership/membership.ts";
import { encodeDenied } from "../../../src/wire/denied.ts";
import { FRAME } from "../../../src/wire/frame.ts";
import { encodeHello, encodeKeepalive } from "../../../src/wire/greeting.ts";
import { connectAs, enrolled, found } from "../../support/members.ts";
import { until } from "../../support/mesh.ts";
import { batch, exchangeOf } from "../hostile/advertise.ts";
import { Forger } from "../hostile/forger.ts";
import { greetingOf, linkFrame, RawPeer } from "../hostile/raw-peer.ts";

const LISTEN = ["tls://127.0.0.1:0"];
/** Within which a revoked node is out everywhere. */
const OUT = 5_000;
let folder = "";
let open: { close(): unknown }[] = [];
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "receptor-revocation-"));
  await found(at("hub"));
  for (const name of ["relay", "far", "victim"]) await enrolled(at("hub"), at(name), name);
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
const out = async (name: string): Promise<void> => void (await revoke(at("hub"), { node: name, force: false }));
const numberAt = (name: string): number => {
  const file = identityFiles(at(name)).denied;
  return existsSync(file) ? Number(JSON.parse(readFileSync(file, "utf8").split("\n")[0] ?? "").number) : 0;
};
const authority = (): { certificate: X509Certificate; key: string } => {
  const files = identityFiles(at("hub"));
  return { certificate: new X509Certificate(readFileSync(files.authority)), key: readFileSync(files.authorityKey, "utf8") };
};

describe("a node whose certificate was revoked", () => {
  it("is out everywhere within 5 s, hears why, and comes in nowhere", { timeout: 30_000 }, async () => {
    const hub = await node("hub");
    const relay = await node("relay", { peers: [urlOf(hub)] });
    const far = await node("far", { peers: [urlOf(relay)] });
    const failures: MeshError[] = [];
    const victim = await node("victim", { peers: [urlOf(relay), urlOf(far)] }, { onPeerFailed: (_url, error) => failures.push(error) });
    for (const one of [hub, relay, far]) await one.reachable("victim");
    await victim.reachable("hub");
    const others = [hub, relay, far];
    await out("victim");
    const gone = await until(
      () =>
        others.every(
          (one) => one.status().nodes.every(({ id }) => id !== "victim") && one.status().links.every(({ peer }) => peer !== "victim"),
        ) && victim.status().links.length === 0
          ? true
          : undefined,
      OUT,
      "the victim is out",
    );
    expect(gone.milliseconds).toBeLessThan(OUT);
    for (const one of others)
      await expect(one.ping("victim", { timeout: 500 })).rejects.toMatchObject({
        code: expect.stringMatching(/NO_ROUTE|UNKNOWN_NODE/) as unknown,
      });
    await until(() => (failures.some(({ code }) => code === "CERTIFICATE_REVOKED") ? true : undefined), 10_000, "the victim hears why");
    expect(victim.status().links).toEqual([]);
    expect(victim.status().warnings).toContain("the certificate of this node was revoked: no node of the mesh links to it");
    // The others are as they were.
    expect((await far.ping("hub")).hops).toBe(2);
    expect(others.flatMap((one) => one.status().warnings)).toEqual([]);
    // It counts from when it is heard; the disk has it a moment later.
    await until(() => (numberAt("far") > 0 ? true : undefined), OUT, "far has the list on its disk");
    expect(await listRevoked(at("far"))).toMatchObject([{ node: "victim" }]);
  });

  it("comes in at no node that was away, once that has a neighbour", { timeout: 30_000 }, async () => {
    const hub = await node("hub");
    const first = await node("far", { peers: [urlOf(hub)] });
    await first.reachable("hub");
    await first.close();
    await out("victim");
    const relay = await node("relay", { peers: [urlOf(hub)] });
    await relay.reachable("hub");
    const far = await node("far", { peers: [urlOf(relay)] });
    await until(() => (numberAt("far") > 0 ? true : undefined), OUT, "far has the list on its disk");
    expect(numberAt("far")).toBe(numberAt("hub"));
    const failures: MeshError[] = [];
    await node("victim", { peers: [urlOf(far)] }, { onPeerFailed: (_url, error) => failures.push(error) });
    await until(() => failures.find(({ code }) => code === "CERTIFICATE_REVOKED"), OUT, "far refuses");
    await far.close();
    // And also before it has one, if it has ever heard of it.
    const alone = await node("far");
    const victim = connectAs(at("victim"), urlOf(alone));
    const peer = new RawPeer("victim", victim);
    open.push(peer);
    peer.send(linkFrame(FRAME.hello, encodeHello(greetingOf("victim"))));
    expect(await peer.end()).toBe("CERTIFICATE_REVOKED");
  });

  it("comes back under its id with a new key, if a token says that it may", { timeout: 30_000 }, async () => {
    const hub = await node("hub");
    const relay = await node("relay", { peers: [urlOf(hub)] });
    await relay.reachable("hub");
    await out("victim");
    await until(() => (numberAt("relay") > 0 ? true : undefined), OUT, "relay has the list");
    await enrolled(at("hub"), at("again"), "victim", { ids: ["victim"], replace: true });
    // Its certificate begins a second after the other was revoked.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const again = await node("again", { peers: [urlOf(relay)] });
    await again.reachable("hub");
    await hub.reachable("victim", { timeout: 5_000 });
  });
});

describe("what a revoked node has said of itself", () => {
  it("is forgotten at once, and taken from nobody any more who passes it on", async () => {
    const hub = await node("hub");
    const linked = (...peers: readonly string[]) => ({ links: peers.map((peer) => ({ peer: nodeId(peer), cost: 1 })) });
    const victim = await Forger.link(at("victim"), urlOf(hub), "victim");
    victim.peer.close();
    const far = await Forger.link(at("far"), urlOf(hub), "far");
    open.push(far.peer);
    far.peer.send(exchangeOf(far.signed("far", linked("hub", "victim")), victim.signed("victim", linked("far"))));
    await hub.reachable("victim", { timeout: OUT });
    await out("victim");
    const known = (): boolean => hub.status().nodes.some(({ id }) => id === "victim");
    await until(() => (known() ? undefined : true), OUT, "the hub forgets it, though its neighbour does not");
    for (let sequence = 2; sequence < 5; sequence++) far.peer.send(batch(victim.signed("victim", { ...linked("far"), sequence })));
    await far.settled();
    // Whose clock or list is another's is not at fault.
    expect(far.peer.closed).toBe(false);
    await hub.reachable("far", { timeout: OUT });
    expect(known()).toBe(false);
  });
});

describe("a neighbour that lies about what was revoked", () => {
  let hub: MeshNode;
  let peer: RawPeer;

  beforeEach(async () => {
    hub = await node("hub");
    peer = await neighbour();
  });

  async function neighbour(): Promise<RawPeer> {
    const made = new RawPeer("far", connectAs(at("far"), urlOf(hub)));
    open.push(made);
    made.send(linkFrame(FRAME.hello, encodeHello(greetingOf("far"))));
    await made.hears(FRAME.hello);
    made.send(linkFrame(FRAME.keepalive, encodeKeepalive(0)));
    await made.hears(FRAME.keepalive);
    return made;
  }

  const denied = (number: number, text = ""): Uint8Array =>
    linkFrame(FRAME.denied, encodeDenied({ number, list: new Uint8Array(Buffer.from(text)) }));

  const listOf = (number: number, name: string, key = authority().key): DenyList =>
    DenyList.sign(
      namesOf(new X509Certificate(readFileSync(identityFiles(at("hub")).certificate))).mesh,
      number,
      { nodes: [{ node: nodeId(name), before: 9_999_999_999, until: 9_999_999_999 }], serials: [] },
      key,
    );

  it("is cut off for a list that the authority has not signed, or under a number that is not in it", async () => {
    const own = readFileSync(identityFiles(at("far")).key, "utf8");
    peer.send(denied(9, listOf(9, "relay", own).text));
    expect(await peer.end()).toBe("PROTOCOL_ERROR");
    const second = await neighbour();
    second.send(denied(10, listOf(9, "relay").text));
    expect(await second.end()).toBe("PROTOCOL_ERROR");
    expect(numberAt("hub")).toBe(0);
  });

  it("is cut off for one that is too long, and for one without a number that can be", async () => {
    peer.send(denied(9, "x".repeat(LIMITS.denyList + 1)));
    expect(await peer.end()).toBe("TOO_LARGE");
    const second = await neighbour();
    second.send(linkFrame(FRAME.denied, new Uint8Array(3)));
    expect(await second.end()).toBe("PROTOCOL_ERROR");
    const third = await neighbour();
    third.send(denied(Number.NaN));
    expect(await third.end()).toBe("PROTOCOL_ERROR");
  });

  it("brings back nothing by an older list, and gets the newer one once, however often it asks", async () => {
    peer.send(denied(20, listOf(20, "victim").text));
    await until(() => (numberAt("hub") === 20 ? true : undefined), OUT, "the hub has the list");
    peer.close();
    await until(() => (hub.status().links.length === 0 ? true : undefined), OUT, "the first link is gone");
    const second = await neighbour();
    second.send(denied(19, listOf(19, "relay").text));
    for (let i = 0; i < 50; i++) second.send(denied(0));
    second.send(denied(20, "whatever has this number"));
    const before = second.heard.length;
    second.send(linkFrame(FRAME.keepalive, encodeKeepalive(1)));
    await second.hears(FRAME.keepalive, before);
    expect(numberAt("hub")).toBe(20);
    const lists = second.all(FRAME.denied).filter(({ body }) => body.length > 8);
    expect(lists).toHaveLength(1);
    expect(Buffer.from(lists[0]?.body.subarray(8) ?? []).toString()).toBe(listOf20());
    expect(second.closed).toBe(false);
    expect(await listRevoked(at("hub"))).toMatchObject([{ node: "victim" }]);
  });

  const listOf20 = (): string => readFileSync(identityFiles(at("hub")).denied, "utf8");
});
