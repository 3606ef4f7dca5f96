import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MeshNode, NodeOptions } from "receptor-mesh";
import { identityFiles } from "../../../src/identity/paths.ts";
import { createNode } from "../../../src/node/create.ts";
import { TestAuthority } from "../../support/certificates.ts";
import { enrolled, found } from "../../support/members.ts";
import { until } from "../../support/mesh.ts";

const LISTEN = ["tls://127.0.0.1:0"];
let folder = "";
let open: { close(): unknown }[] = [];
const at = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "receptor-certificates-"));
});

afterEach(async () => {
  for (const one of open.toReversed()) await one.close();
  open = [];
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

async function node(name: string, options: NodeOptions = {}): Promise<MeshNode> {
  const started = await createNode({ dataDir: at(name), listen: LISTEN, ...options });
  open.push(started);
  return started;
}

const urlOf = (started: MeshNode): string => started.listening[0] ?? "";
const serialOf = (path: string): string => new X509Certificate(readFileSync(path)).serialNumber;
const ownSerial = (name: string): string => serialOf(identityFiles(at(name)).certificate);

/** The serial number of what a listener shows to who connects now. */
async function shownBy(url: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port), rejectUnauthorized: false });
  return await new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      resolve(socket.getPeerX509Certificate()?.serialNumber ?? "");
      socket.destroy();
    });
  });
}

/** Whether no link of the node has come up within the last `seconds`. */
const linkedSince = (started: MeshNode, seconds: number): boolean => started.status().links.every(({ since }) => since > seconds);

describe("a node whose certificate ends soon", () => {
  it("renews it over the links that it has, however far the signer is, and drops none", { timeout: 40_000 }, async () => {
    await found(at("hub"), undefined, 10_000);
    for (const name of ["relay", "far"]) await enrolled(at("hub"), at(name), name);
    const before = Object.fromEntries(["hub", "relay", "far"].map((name) => [name, ownSerial(name)]));
    const hub = await node("hub");
    const relay = await node("relay", { peers: [urlOf(hub)] });
    const far = await node("far", { peers: [urlOf(relay)] });
    await far.reachable("hub");
    const started = performance.now();
    await until(
      () => (["hub", "relay", "far"].every((name) => ownSerial(name) !== before[name]) ? true : undefined),
      12_000,
      "all three have new certificates",
    );
    // Whoever connects now sees the new one; whoever is linked has not noticed.
    for (const [name, one] of [
      ["hub", hub],
      ["relay", relay],
      ["far", far],
    ] as const)
      await until(async () => ((await shownBy(urlOf(one))) === ownSerial(name) ? true : undefined), 3_000, `${name} shows the new one`);
    const passed = (performance.now() - started) / 1_000;
    for (const one of [hub, relay, far]) {
      expect(one.status().warnings).toEqual([]);
      expect(linkedSince(one, passed)).toBe(true);
    }
    // Past the end of the first ones new links come up.
    await until(() => (performance.now() - started > 10_500 ? true : undefined), 20_000, "the first ones have ended");
    expect((await far.ping("hub")).hops).toBe(2);
    await far.close();
    const again = await node("far", { peers: [urlOf(relay)] });
    await again.reachable("hub");
  });

  it("says so while nobody signs, and is content when somebody does", { timeout: 40_000 }, async () => {
    await found(at("hub"), undefined, 18_000);
    await enrolled(at("hub"), at("alpha"), "alpha");
    const { authorityKey } = identityFiles(at("hub"));
    const away = at("ca.key");
    copyFileSync(authorityKey, away);
    rmSync(authorityKey);
    const first = ownSerial("alpha");
    const hub = await node("hub");
    const alpha = await node("alpha", { peers: [urlOf(hub)] });
    await alpha.reachable("hub");
    await until(
      () =>
        alpha.status().warnings.some((text) => /expires on .* could not be renewed: no node that signs/.test(text)) ? true : undefined,
      25_000,
      "alpha warns",
    );
    copyFileSync(away, authorityKey);
    await hub.reload();
    await until(() => (ownSerial("alpha") === first ? undefined : true), 8_000, "alpha has a new one");
    await until(() => (alpha.status().warnings.length === 0 ? true : undefined), 3_000, "alpha warns no more");
  });
});

describe("a node with certificates of an existing authority", () => {
  it("takes changed files for new connections within seconds, and keeps its links", { timeout: 20_000 }, async () => {
    const authority = await TestAuthority.create();
    mkdirSync(at("pki"));
    const files = { cert: at("pki/node.crt"), key: at("pki/node.key"), ca: at("pki/ca.crt") };
    const write = async (): Promise<void> => {
      const { cert, key } = await authority.issue("node", {
        names: [
          { type: "dns", value: "localhost" },
          { type: "dns", value: "one.mesh" },
          { type: "ip", value: "127.0.0.1" },
        ],
      });
      writeFileSync(files.key, key, { mode: 0o600 });
      // The pair is wrong for a while, as where a tool writes one after the other.
      await new Promise((resolve) => setTimeout(resolve, 100));
      writeFileSync(files.cert, cert);
    };
    writeFileSync(files.ca, authority.ca);
    await write();
    const tls = { ...files, identity: "dns:{node}.mesh" };
    const one = await node("one", { tls });
    const two = await authority.issue("node", {
      names: [
        { type: "dns", value: "localhost" },
        { type: "dns", value: "two.mesh" },
      ],
    });
    writeFileSync(at("pki/two.crt"), two.cert);
    writeFileSync(at("pki/two.key"), two.key, { mode: 0o600 });
    const other = await node("two", { tls: { ...tls, cert: at("pki/two.crt"), key: at("pki/two.key") }, peers: [urlOf(one)] });
    await other.reachable("one");
    const started = performance.now();
    const first = serialOf(files.cert);
    expect(await shownBy(urlOf(one))).toBe(first);
    await write();
    const now = serialOf(files.cert);
    expect(now).not.toBe(first);
    await until(async () => ((await shownBy(urlOf(one))) === now ? true : undefined), 6_000, "the new one is shown");
    expect(linkedSince(other, (performance.now() - started) / 1_000)).toBe(true);
    // What is no good changes nothing.
    writeFileSync(files.cert, "nothing");
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect(await shownBy(urlOf(one))).toBe(now);
  });
});
