import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MeshNode, NodeOptions } from "receptor-mesh";
import { definePlugin } from "receptor-mesh/plugin";
import { identityFiles } from "../../../src/identity/paths.ts";
import { connectMesh } from "../../../src/node/connect.ts";
import { createNode } from "../../../src/node/create.ts";
import { enrolled, found } from "../../support/members.ts";

const greeter = definePlugin({ name: "greeter", actions: { run: async () => "hello", leave: async () => "goodbye" } });
let folder = "";
let url = "";
let open: MeshNode[] = [];
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "receptor-access-"));
  await found(at("hub"));
});

afterEach(async () => {
  for (const node of open.toReversed()) await node.close();
  open = [];
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

/** The node that goes by the rules. */
async function judge(options: NodeOptions): Promise<void> {
  const hub = await createNode({ dataDir: at("hub"), listen: ["tls://127.0.0.1:0"], plugins: {}, ...options }, { definitions: [greeter] });
  open.push(hub);
  url = hub.listening[0] ?? "";
}

/** A member that is in these groups, and in none that its certificate lacks. */
async function member(id: string, groups: readonly string[]): Promise<MeshNode> {
  await enrolled(at("hub"), at(id), id, { groups });
  const node = await createNode({ dataDir: at(id), listen: [], peers: [url], plugins: {}, groups });
  open.push(node);
  await node.reachable("hub");
  return node;
}

/** A command with the certificate of a member. */
async function command(id: string): Promise<MeshNode> {
  const { certificate: cert, key, authority: ca } = identityFiles(at(id));
  const node = await connectMesh({ peers: [url], config: { tls: { cert, key, ca } } });
  open.push(node);
  return node;
}

async function said(node: MeshNode, directive = "greeter:run"): Promise<string[]> {
  const all: string[] = [];
  for await (const response of await node.send("hub", directive)) all.push(response.text());
  return all;
}

describe("a node with rules for groups", () => {
  it("runs what comes from a member of one, or from a command with the certificate of one, and nothing else", async () => {
    await judge({ allow: [{ groups: ["op*"], to: ["hub"], directive: ["greeter:run"] }] });
    const [operator, guest] = [await member("operator", ["ops", "eu"]), await member("guest", ["dev"])];
    expect(await said(operator)).toEqual(["hello"]);
    expect(await said(await command("operator"))).toEqual(["hello"]);
    const denied = { code: "DENIED" };
    await expect(said(operator, "greeter:leave")).rejects.toMatchObject(denied);
    await expect(said(guest)).rejects.toMatchObject(denied);
    await expect(said(await command("guest"))).rejects.toMatchObject(denied);
  });

  it("denies members of a denied one what everybody may", async () => {
    await judge({ allow: [{}], deny: [{ groups: ["guests"], directive: ["greeter:*"] }] });
    const [operator, guest] = [await member("operator", ["ops"]), await member("guest", ["ops", "guests"])];
    expect(await said(operator)).toEqual(["hello"]);
    await expect(said(guest)).rejects.toMatchObject({ code: "DENIED", message: "deny[0] of hub denies it" });
    await expect(said(await command("guest"))).rejects.toMatchObject({ code: "DENIED" });
  });
});
