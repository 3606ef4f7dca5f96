import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { SILENT } from "../../../src/core/log.ts";
import { readDenyList } from "../../../src/identity/deny-file.ts";
import { DenyList } from "../../../src/identity/deny-list.ts";
import { decodeEnrolmentAnswer, encodeEnrolmentRequest, type EnrolmentAnswer } from "../../../src/identity/enrolment.ts";
import { identityFiles } from "../../../src/identity/paths.ts";
import { createToken, openSigner, openTokens, ownKey } from "../../../src/identity/folder.ts";
import { parseJoinToken } from "../../../src/identity/join-token.ts";
import { beginRenewal } from "../../../src/identity/renew.ts";
import { reconcile, revokeNode, revokeSerial } from "../../../src/identity/revoke.ts";
import type { NewToken } from "../../../src/identity/token-store.ts";
import { createRequest } from "../../../src/identity/x509.ts";
import { enrolled, found } from "../../support/members.ts";

const alpha = nodeId("alpha");
let folder = "";
let hub = "";
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "receptor-revoke-"));
  hub = at("hub");
  await found(hub);
  await enrolled(hub, at("alpha"), "alpha", { uses: 5 });
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const issuer = (): X509Certificate => new X509Certificate(readFileSync(identityFiles(hub).authority));
const certificateOf = (name: string): X509Certificate => new X509Certificate(readFileSync(identityFiles(at(name)).certificate));

/** Asks for the id alpha with a new token, and the key of a data folder. */
async function asksAgain(keyFolder: string, wanted: Partial<NewToken> = {}): Promise<EnrolmentAnswer> {
  const all: NewToken = { expires: Date.now() + 60_000, uses: 1, ids: ["*"], groups: ["*"], replace: false, ...wanted };
  const { id, secret } = parseJoinToken((await createToken(hub, all, Date.now())).text);
  const request = await createRequest(await ownKey(keyFolder));
  const by = await openSigner(hub, SILENT);
  const answer = await by?.answer(encodeEnrolmentRequest({ token: id, secret, node: alpha, groups: [], request }), "test");
  return decodeEnrolmentAnswer(answer ?? new Uint8Array(0));
}

describe("revokeNode", () => {
  it("signs a list that refuses the node's certificate, and keeps it for its owner alone", async () => {
    const { list } = await revokeNode(hub, alpha, Date.now());
    const kept = await readDenyList(hub, issuer());
    expect(kept?.text).toBe(list.text);
    expect(kept?.refuses(certificateOf("alpha"))).toMatchObject({ code: "CERTIFICATE_REVOKED" });
    expect(kept?.refuses(certificateOf("hub"))).toBeUndefined();
    expect(statSync(identityFiles(hub).denied).mode & 0o077).toBe(0);
  });

  it("numbers each list above the one before, and not below those of a list that was lost", async () => {
    await enrolled(hub, at("beta"), "beta");
    const now = Date.now();
    const first = await revokeNode(hub, alpha, now);
    const second = await revokeNode(hub, nodeId("beta"), now);
    expect(second.list.number).toBeGreaterThan(first.list.number);
    expect(second.list.denied.nodes.map(({ node }) => node)).toEqual(["alpha", "beta"]);
    rmSync(identityFiles(hub).denied);
    const third = await revokeNode(hub, alpha, now + 2_000);
    expect(third.list.number).toBeGreaterThan(second.list.number);
  });

  it("revokes the tokens that let the node in, for it knows them", async () => {
    const { tokens } = await revokeNode(hub, alpha, Date.now());
    expect(tokens).toHaveLength(1);
    expect((await (await openTokens(hub)).list()).map(({ revoked }) => revoked)).toEqual([true]);
  });

  it("refuses an id that has no certificate, unless it is told to, and a folder without the key", async () => {
    await expect(revokeNode(hub, nodeId("alfa"), Date.now())).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((await revokeNode(hub, nodeId("alfa"), Date.now(), true)).list.denied.nodes).toHaveLength(1);
    await expect(revokeNode(at("alpha"), alpha, Date.now())).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  it("lets entries go when the last certificate that they are about has ended", async () => {
    const now = Date.now();
    await revokeNode(hub, alpha, now);
    await enrolled(hub, at("beta"), "beta");
    const later = await revokeNode(hub, nodeId("beta"), now + 91 * 86_400_000);
    expect(later.list.denied.nodes.map(({ node }) => node)).toEqual(["beta"]);
  });
});

describe("Signer, of a node that was revoked", () => {
  it("neither renews its certificate nor lets it in again by a token that does not replace", async () => {
    const renewal = await beginRenewal(at("alpha"), false);
    await revokeNode(hub, alpha, Date.now());
    const by = await openSigner(hub, SILENT);
    const answer = decodeEnrolmentAnswer((await by?.renew(renewal.question)) ?? new Uint8Array(0));
    expect(answer).toMatchObject({ type: "refused", code: "CERTIFICATE_REVOKED" });
    expect(await asksAgain(at("alpha"))).toMatchObject({ type: "refused", code: "CERTIFICATE_REVOKED" });
    expect(await asksAgain(at("new"))).toMatchObject({ type: "refused", code: "CERTIFICATE_REVOKED" });
    // Its key is in other hands.
    expect(await asksAgain(at("alpha"), { ids: ["alpha"], replace: true })).toMatchObject({ type: "refused", code: "CERTIFICATE_REVOKED" });
  });

  it("gives its id to a new key by a token that replaces, with a certificate that holds", async () => {
    const { list } = await revokeNode(hub, alpha, Date.now());
    const answer = await asksAgain(at("new"), { ids: ["alpha"], replace: true });
    if (answer.type !== "issued") throw new TypeError(answer.message);
    expect(list.refuses(new X509Certificate(answer.certificate))).toBeUndefined();
    expect(list.refuses(certificateOf("alpha"))).toBeDefined();
  });
});

describe("revokeSerial", () => {
  it("refuses that certificate until it has ended, and lets the node's next one be", async () => {
    const before = certificateOf("alpha");
    const list = await revokeSerial(hub, before.serialNumber, Date.now());
    expect(list.refuses(before)).toBeDefined();
    expect(list.denied.serials[0]?.until).toBe(Date.parse(before.validTo) / 1_000 + 1);
    rmSync(identityFiles(at("alpha")).certificate);
    await enrolled(hub, at("alpha"), "alpha");
    expect(list.refuses(certificateOf("alpha"))).toBeUndefined();
  });
});

describe("reconcile", () => {
  it("makes one list of two that were signed apart, and none where nothing is lost", async () => {
    await enrolled(hub, at("beta"), "beta");
    const { list: first } = await revokeNode(hub, alpha, Date.now());
    const key = readFileSync(identityFiles(hub).authorityKey, "utf8");
    const nodes = [{ node: nodeId("beta"), before: 5, until: 9_999_999_999 }];
    const apart = DenyList.sign(first.mesh, first.number + 10, { nodes, serials: [] }, key);
    const merged = await reconcile(hub, apart, Date.now());
    expect(merged?.number).toBe(first.number + 11);
    expect(merged?.denied.nodes.map(({ node }) => node)).toEqual(["alpha", "beta"]);
    expect((await readDenyList(hub, issuer()))?.text).toBe(merged?.text);
    expect(merged === undefined ? "" : await reconcile(hub, merged, Date.now())).toBeUndefined();
  });
});
