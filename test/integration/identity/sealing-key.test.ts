import { createPublicKey } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNode } from "../../../src/node/create.ts";
import { identityFiles } from "../../../src/identity/paths.ts";
import { openSealingKey } from "../../../src/identity/sealing-key.ts";
import { enrolled, found } from "../../support/members.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "receptor-sealing-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

const pathOf = (name: string): string => identityFiles(join(folder, name)).sealingKey;

describe("openSealingKey", () => {
  it("makes a key that only its owner may read, and finds it again", async () => {
    const made = await openSealingKey(join(folder, "a"));
    expect(statSync(pathOf("a")).mode & 0o777).toBe(0o600);
    const again = await openSealingKey(join(folder, "a"));
    expect(again.shown).toEqual(made.shown);
    expect(made.shown).toHaveLength(32);
    const { x } = createPublicKey(made.key).export({ format: "jwk" });
    expect(Buffer.from(made.shown).toString("base64url")).toBe(x);
    expect((await openSealingKey(join(folder, "b"))).shown).not.toEqual(made.shown);
  });

  it("makes one that is kept nowhere, and another each time, where there is no folder", async () => {
    expect((await openSealingKey(undefined)).shown).not.toEqual((await openSealingKey(undefined)).shown);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("refuses a file that others may read, and one that holds no such key, with CONFIG_INVALID", async () => {
    await openSealingKey(join(folder, "a"));
    chmodSync(pathOf("a"), 0o640);
    await expect(openSealingKey(join(folder, "a"))).rejects.toMatchObject({ code: "CONFIG_INVALID", message: /chmod 600/ });
    chmodSync(pathOf("a"), 0o600);
    writeFileSync(pathOf("a"), "no key");
    await expect(openSealingKey(join(folder, "a"))).rejects.toMatchObject({ code: "CONFIG_INVALID", message: /move it away/ });
  });
});

describe("createNode", () => {
  it("has a sealing key in a mesh with an authority alone, and none of its folder's as a command", async () => {
    await using plain = await createNode({ dataDir: join(folder, "plain"), listen: [] });
    expect(existsSync(pathOf("plain"))).toBe(false);
    await found(join(folder, "hub"));
    await enrolled(join(folder, "hub"), join(folder, "a"), "a");
    const command = await createNode({ dataDir: join(folder, "a"), listen: [] }, { ephemeral: true });
    expect(existsSync(pathOf("a"))).toBe(false);
    await command.close();
    await using member = await createNode({ dataDir: join(folder, "a"), listen: [] });
    expect(existsSync(pathOf("a"))).toBe(true);
    expect([plain.id, member.id].includes("a")).toBe(true);
  });
});
