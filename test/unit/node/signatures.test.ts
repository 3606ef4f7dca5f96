import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { nodeId } from "../../../src/core/ids.ts";
import { createIdentifier } from "../../../src/identity/certificate.ts";
import type { MeshId } from "../../../src/identity/names.ts";
import { parseIdentityRule } from "../../../src/identity/rule.ts";
import { Signatory, type SignatoryParts, type Signing } from "../../../src/identity/signatory.ts";
import { isSignedWith, readSigningKey, signWith } from "../../../src/identity/signing-key.ts";
import { createAuthority, createKey, createRequest, type KeyPair, signNode } from "../../../src/identity/x509.ts";
import { NodeSignatures } from "../../../src/node/membership/signatures.ts";
import { type Forgery, judgeAdvertisement } from "../../../src/routing/proof.ts";
import { type Advertisement, encodeAdvertisement } from "../../../src/wire/advertisement.ts";
import { checkAdvertisement } from "../../../src/wire/advertisement-layout.ts";
import { signAdvertisement } from "../../../src/wire/advertisement-signature.ts";
import { TestAuthority } from "../../support/certificates.ts";
import { meshOf, signingOf } from "../../support/signing.ts";
import { said } from "../routing/alone.ts";

const DAY = 86_400_000;
const MESH = meshOf("00112233aabbccdd");
const SEALING = new Uint8Array(32).fill(9);
const now = Date.now();
const PARTS = { wallClock: () => now, isRevoked: () => false };

interface MemberOptions {
  readonly groups?: readonly string[];
  readonly mesh?: MeshId;
  readonly authority?: KeyPair;
  /** Days from now. */
  readonly days?: number;
}

let authority: KeyPair;
let other: KeyPair;
beforeAll(async () => {
  const validity = { from: now - 40 * DAY, to: now + 400 * DAY };
  authority = await createAuthority(MESH, validity);
  other = await createAuthority(MESH, validity);
});

/** A node with a certificate; it trusts `authority` alone. */
async function member(node: string, options: MemberOptions = {}): Promise<NodeSignatures> {
  return signatures(await signing(node, options));
}

function signatures(by: Signing, parts: SignatoryParts = PARTS): NodeSignatures {
  return new NodeSignatures(new Signatory(by, parts), SEALING);
}

function signing(node: string, options: MemberOptions = {}): Promise<Signing> {
  const { groups, mesh = MESH, days, authority: issuer = authority } = options;
  return signingOf(node, { mesh, issuer, trusts: authority, groups, days });
}

function judge(by: NodeSignatures, of: NodeSignatures, node: string, changes: Partial<Advertisement> = {}): Forgery | undefined {
  const raw = signAdvertisement(encodeAdvertisement(said(node, { credentials: of.credentials, ...changes })), (bytes) => of.sign(bytes));
  return judgeAdvertisement(by, raw, checkAdvertisement(raw));
}

describe("NodeSignatures", () => {
  it("takes what the key of a certificate has signed, from the node that it names, as often as it is said", async () => {
    const [judging, a] = [await member("judge"), await member("a")];
    for (let sequence = 1; sequence < 5; sequence++) expect(judge(judging, a, "a", { sequence })).toBeUndefined();
    expect(judge(judging, a, "a", { withdrawn: true })).toBeUndefined();
    expect(judge(judging, judging, "judge")).toBeUndefined();
  });

  it("takes another's certificate from nobody who lacks its key", async () => {
    const [judging, a, thief] = [await member("judge"), await member("a"), await member("thief")];
    expect(judge(judging, thief, "a", { credentials: a.credentials })).toBe("signature");
    expect(judge(judging, thief, "a")).toBe("node");
    expect(judge(judging, thief, "judge")).toBe("node");
  });

  it("lets a command use its owner's name with an ending, and only while it is short-lived", async () => {
    const [judging, a] = [await member("judge"), await member("a")];
    expect(judge(judging, a, "a:cli-0123456789ab", { ephemeral: true })).toBeUndefined();
    expect(judge(judging, a, "a:cli-0123456789ab")).toBe("node");
    expect(judge(judging, a, "judge:cli-0123456789ab", { ephemeral: true })).toBe("node");
  });

  it("takes no certificate of another authority, even of the same name, or of another mesh, or made of noise", async () => {
    const judging = await member("judge");
    expect(judge(judging, await member("a", { authority: other }), "a")).toBe("certificate");
    expect(judge(judging, await member("a", { mesh: meshOf("ffffffffffffffff") }), "a")).toBe("certificate");
    const noise = { certificate: new Uint8Array(500).fill(0x30), sealingKey: SEALING };
    expect(judge(judging, await member("a"), "a", { credentials: noise })).toBe("certificate");
  });

  it("takes no certificate that a member has signed with its own", async () => {
    const judging = await member("judge");
    const key = await createKey();
    const validity = { from: now - DAY, to: now + DAY };
    const leaf = await signNode(authority, await createRequest(key), { mesh: MESH, node: nodeId("thief"), groups: ["*"], validity });
    expect(judge(judging, await member("a", { authority: { certificate: leaf, key } }), "a")).toBe("certificate");
  });

  it("takes no certificate that a node has signed with one that says nothing of what its key is for, though that one is trusted", async () => {
    const { cert, key } = await (await TestAuthority.create()).issue("thief");
    const trusting = {
      ...(await signing("careless")),
      authorities: [new X509Certificate(authority.certificate), new X509Certificate(cert)],
    };
    const careless = signatures(trusting);
    expect(judge(careless, await member("a"), "a")).toBeUndefined();
    const made = await member("a", { authority: { certificate: cert, key } });
    expect(new X509Certificate(made.credentials.certificate).checkIssued(new X509Certificate(cert))).toBe(true);
    expect(judge(careless, made, "a")).toBe("certificate");
  });

  it("takes a group only from a node whose certificate has it", async () => {
    const [judging, a] = [await member("judge"), await member("a", { groups: ["web*", "db"] })];
    expect(judge(judging, a, "a", { groups: ["web-1", "db"] })).toBeUndefined();
    expect(judge(judging, a, "a", { groups: ["web-1", "dbs"] })).toBe("group");
    expect(judge(judging, await member("b", { groups: [] }), "b", { groups: ["x"] })).toBe("group");
  });

  it("takes no certificate whose time is over by its clock, and says that this alone is wrong", async () => {
    const [judging, a, thief] = [await member("judge"), await member("a", { days: -1 }), await member("thief")];
    expect(judge(judging, a, "a")).toBe("time");
    expect(judge(judging, thief, "a", { credentials: a.credentials })).toBe("signature");
    const early = signatures(await signing("early"), { ...PARTS, wallClock: () => now - 100 * DAY });
    expect(judge(early, thief, "thief")).toBe("time");
  });

  it("notices when the time of a certificate that it knows is over", async () => {
    let clock = now;
    const judging = signatures(await signing("judge"), { ...PARTS, wallClock: () => clock });
    const a = await member("a", { days: 1 });
    expect(judge(judging, a, "a")).toBeUndefined();
    clock += 2 * DAY;
    expect(judge(judging, a, "a")).toBe("time");
  });

  it("takes nothing under a certificate that was revoked, from then on", async () => {
    const revoked = new Set<string>();
    const isRevoked = ({ serialNumber }: X509Certificate): boolean => revoked.has(serialNumber);
    const judging = signatures(await signing("judge"), { ...PARTS, isRevoked });
    const [a, thief] = [await member("a"), await member("thief")];
    expect(judge(judging, a, "a")).toBeUndefined();
    revoked.add(new X509Certificate(a.credentials.certificate).serialNumber);
    expect(judge(judging, a, "a")).toBe("revoked");
    expect(judge(judging, thief, "thief")).toBeUndefined();
  });

  it("shows and uses another certificate once it has one, and forgets whom it trusted", async () => {
    const renewing = new Signatory(await signing("a"), PARTS);
    const trusting = new Signatory(await signing("judge"), PARTS);
    const [judging, a] = [new NodeSignatures(trusting, SEALING), new NodeSignatures(renewing, SEALING)];
    expect(judge(judging, a, "a")).toBeUndefined();
    const before = a.credentials;
    const next = await signing("a");
    renewing.replace(next);
    expect(a.credentials.certificate).not.toEqual(before.certificate);
    expect(a.credentials.sealingKey).toEqual(before.sealingKey);
    expect(judge(judging, a, "a")).toBeUndefined();
    expect(judge(judging, a, "a", { credentials: before })).toBe("signature");
    const shown = a.credentials;
    renewing.replace(next);
    expect(a.credentials).toBe(shown);
    trusting.replace({ ...(await signing("judge")), authorities: [new X509Certificate(other.certificate)] });
    expect(judge(judging, a, "a")).toBe("certificate");
  });

  it("goes by other names where another authority says who is who, and leaves it to that one which groups there are", async () => {
    const pki = await TestAuthority.create("Example, Inc.");
    const made = async (id: string): Promise<NodeSignatures> => {
      const { cert, key } = await pki.issue(id, { names: [{ type: "dns", value: `${id}.mesh.example` }] });
      const identifier = createIdentifier(parseIdentityRule("dns:{node}.mesh.example"), undefined);
      const certificate = new X509Certificate(cert);
      return signatures({ certificate, key: createPrivateKey(key), authorities: [new X509Certificate(pki.ca)], identifier });
    };
    const [judging, a] = [await made("judge"), await made("a")];
    expect(judge(judging, a, "a", { groups: ["any"] })).toBeUndefined();
    expect(judge(judging, a, "b")).toBe("node");
  });
});

describe("signWith", () => {
  const keys = {
    "EC P-256": () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
    "EC P-384": () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
    Ed25519: () => generateKeyPairSync("ed25519"),
    "RSA of 2,048 bits": () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  };
  it.each(Object.entries(keys))(
    "makes signatures of at most 512 bytes with %s keys, that hold for these bytes and this key alone",
    (_, make) => {
      const [one, two] = [make(), make()];
      const bytes = new Uint8Array(700).fill(3);
      const signature = signWith(readSigningKey(one.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), "key"), bytes);
      expect(signature.length).toBeLessThanOrEqual(512);
      expect(isSignedWith(one.publicKey, bytes, signature)).toBe(true);
      expect(isSignedWith(two.publicKey, bytes, signature)).toBe(false);
      expect(isSignedWith(one.publicKey, bytes.subarray(1), signature)).toBe(false);
      for (const wrong of [new Uint8Array(0), signature.subarray(1), new Uint8Array(512)])
        expect(isSignedWith(one.publicKey, bytes, wrong)).toBe(false);
    },
  );
});

describe("isSignedWith", () => {
  it("refuses an RSA signature without the zero that it begins with", () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
    // One in some two hundred begins with a zero, and each is another one.
    for (let tries = 0; tries < 20_000; tries++) {
      const bytes = new Uint8Array(9);
      const signature = signWith(privateKey, bytes);
      if (signature[0] !== 0) continue;
      expect(isSignedWith(publicKey, bytes, signature)).toBe(true);
      expect(isSignedWith(publicKey, bytes, signature.subarray(1))).toBe(false);
      return;
    }
    expect.fail("no signature began with a zero");
  });
});

describe("readSigningKey", () => {
  it("refuses keys of kinds that sign nothing, and what is no key, with CERTIFICATE_INVALID", () => {
    const pem = generateKeyPairSync("x25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    for (const text of [pem, "no key"])
      expect(() => readSigningKey(text, "key")).toThrow(expect.objectContaining({ code: "CERTIFICATE_INVALID" }));
  });
});
