import { createHash, X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isMeshError } from "../../../src/core/errors.ts";
import { nodeId } from "../../../src/core/ids.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { SILENT } from "../../../src/core/log.ts";
import { groupPatternsOf } from "../../../src/identity/certificate.ts";
import { decodeEnrolmentAnswer, encodeEnrolmentRequest, type EnrolmentAnswer } from "../../../src/identity/enrolment.ts";
import { identityFiles } from "../../../src/identity/paths.ts";
import { createToken, foundMesh, installCertificate, openSigner, openTokens, ownKey, readIdentity } from "../../../src/identity/folder.ts";
import { parseJoinToken } from "../../../src/identity/join-token.ts";
import { isMeshId } from "../../../src/identity/names.ts";
import type { Signer } from "../../../src/identity/signer.ts";
import type { NewToken } from "../../../src/identity/token-store.ts";
import { createRequest } from "../../../src/identity/x509.ts";

let folder = "";
let hub = "";
const alpha = nodeId("alpha");
const DAY = 86_400_000;
const OPEN: NewToken = { expires: Date.now() + 3_600_000, uses: 1, ids: ["*"], groups: ["*"], replace: false };

function meshId(text: string) {
  if (isMeshId(text)) return text;
  throw new TypeError(text);
}

const MESH = meshId("00112233aabbccdd");

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "receptor-identity-"));
  hub = join(folder, "hub");
  await foundMesh(hub, nodeId("hub"), MESH, Date.now(), SILENT);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function signer(): Promise<Signer> {
  const opened = await openSigner(hub, SILENT);
  if (opened === undefined) throw new TypeError("the hub does not sign");
  return opened;
}

interface Asked {
  readonly text: string;
  readonly node?: string;
  readonly groups?: readonly string[];
  readonly key?: string;
}

async function ask(by: Signer, { text, node = "alpha", groups = [], key }: Asked): Promise<EnrolmentAnswer> {
  const { id, secret } = parseJoinToken(text);
  const request = await createRequest(key ?? (await ownKey(join(folder, node))));
  const answer = await by.answer(encodeEnrolmentRequest({ token: id, secret, node: nodeId(node), groups, request }), "127.0.0.1");
  if (answer === undefined) throw new TypeError("hung up");
  return decodeEnrolmentAnswer(answer);
}

const newToken = async (changes: Partial<NewToken> = {}): Promise<string> =>
  (await createToken(hub, { ...OPEN, ...changes }, Date.now())).text;

describe("encodeEnrolmentRequest", () => {
  it("makes no request of more than 4 KiB, and says what to do", () => {
    const groups = Array.from({ length: 64 }, (_, i) => `group-${i}-${"x".repeat(56)}`);
    const asked = { token: "0".repeat(16), secret: new Uint8Array(20), node: alpha, groups, request: new Uint8Array(300) };
    expect(() => encodeEnrolmentRequest(asked)).toThrow(/over the limit of 4096: name fewer groups/);
  });
});

describe("foundMesh", () => {
  it("makes an authority, and a certificate of 90 days with one URI for the node", async () => {
    const identity = await readIdentity(hub);
    expect(identity).toMatchObject({ mesh: MESH, node: "hub", signs: true });
    const certificate = identity?.certificate;
    expect(certificate?.subjectAltName).toBe(`URI:mesh://${MESH}/node/hub`);
    expect(certificate?.ca).toBe(false);
    expect(Math.round(((identity?.until ?? 0) - Date.now()) / DAY)).toBe(90);
    const authority = new X509Certificate(readFileSync(identityFiles(hub).authority));
    expect(authority.ca).toBe(true);
    expect(certificate?.verify(authority.publicKey)).toBe(true);
  });

  it("leaves nothing that others may read", () => {
    const modes = readdirSync(identityFiles(hub).folder, { recursive: true, encoding: "utf8" }).map((name) => {
      const { mode } = statSync(join(identityFiles(hub).folder, name));
      return [name, (mode & 0o077).toString(8)];
    });
    expect(modes.length).toBeGreaterThan(4);
    expect(modes.filter(([, open]) => open !== "0")).toEqual([]);
  });

  it("refuses a folder that belongs to a node, and names it", async () => {
    const again = foundMesh(hub, alpha, MESH, Date.now(), SILENT);
    await expect(again).rejects.toMatchObject({ code: "CONFIG_INVALID", message: expect.stringMatching(/node "hub"/) as unknown });
  });

  it("finishes what was cut short, with the same authority", async () => {
    const { certificate, authority } = identityFiles(hub);
    const before = readFileSync(authority, "utf8");
    rmSync(certificate);
    await foundMesh(hub, nodeId("hub"), MESH, Date.now(), SILENT);
    expect(readFileSync(authority, "utf8")).toBe(before);
  });

  it("and everything else refuses keys that others may read", async () => {
    chmodSync(identityFiles(hub).authorityKey, 0o640);
    await expect(openSigner(hub, SILENT)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/chmod 600/) as unknown,
    });
    await expect(openTokens(hub)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

describe("Signer", () => {
  it("lets in who has a token, with a certificate that its folder takes", async () => {
    const text = await newToken({ groups: ["web*"] });
    const answer = await ask(await signer(), { text, groups: ["web-1"] });
    if (answer.type !== "issued") throw new TypeError(answer.message);
    const authority = readFileSync(identityFiles(hub).authority, "utf8");
    await installCertificate(join(folder, "alpha"), alpha, parseJoinToken(text), answer.certificate, authority);
    const identity = await readIdentity(join(folder, "alpha"));
    expect(identity).toMatchObject({ mesh: MESH, node: "alpha", signs: false });
    expect(identity === undefined ? [] : groupPatternsOf(identity.certificate)).toEqual(["web*"]);
  });

  it("keeps no secret on its disk", async () => {
    const text = await newToken();
    await ask(await signer(), { text });
    const { secret } = parseJoinToken(text);
    const files = readdirSync(identityFiles(hub).folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    for (const file of files) {
      const content = readFileSync(join(file.parentPath, file.name));
      expect(content.includes(Buffer.from(secret).toString("hex")), file.name).toBe(false);
      expect(content.includes(Buffer.from(secret).toString("base64url")), file.name).toBe(false);
      expect(content.includes(Buffer.from(secret)), file.name).toBe(false);
    }
    const hash = createHash("sha256").update(secret).digest("hex");
    expect(files.some((file) => readFileSync(join(file.parentPath, file.name), "utf8").includes(hash))).toBe(true);
  });

  it("counts the uses of a token, also where many come at once, and after a restart", async () => {
    const text = await newToken({ uses: 3 });
    const [first, second] = [await signer(), await signer()];
    const names = Array.from({ length: 8 }, (_, at) => `node-${at}`);
    // Two signers over one folder, as a node that is restarted while it answers.
    const answers = await Promise.all(names.map((node, at) => ask(at % 2 === 0 ? first : second, { text, node })));
    expect(answers.filter(({ type }) => type === "issued")).toHaveLength(3);
    const late = await ask(await signer(), { text, node: "late" });
    expect(late).toMatchObject({ type: "refused", code: "TOKEN_REFUSED", data: { reason: "used-up" } });
    expect((await openTokens(hub).then((tokens) => tokens.list()))[0]?.used).toHaveLength(3);
  });

  it("gives one whose answer was lost another at no further use", async () => {
    const text = await newToken();
    const by = await signer();
    expect((await ask(by, { text })).type).toBe("issued");
    expect((await ask(by, { text })).type).toBe("issued");
    expect(await ask(by, { text, node: "beta" })).toMatchObject({ type: "refused", data: { reason: "used-up" } });
  });

  it("refuses an id that another key has, also one that asks at the same time", async () => {
    const by = await signer();
    const text = await newToken({ uses: 10 });
    const keys = [join(folder, "one"), join(folder, "two")].map((path) => ownKey(path));
    const answers = await Promise.all(keys.map(async (key) => await ask(by, { text, key: await key })));
    expect(answers.map(({ type }) => type).toSorted()).toEqual(["issued", "refused"]);
    expect(await ask(by, { text, node: "hub", key: await ownKey(join(folder, "one")) })).toMatchObject({ type: "refused", code: "DENIED" });
    const replacing = await newToken({ ids: ["hub"], replace: true });
    expect((await ask(by, { text: replacing, node: "hub", key: await ownKey(join(folder, "one")) })).type).toBe("issued");
  });

  it("says no more to who has no secret than that it does not know the token", async () => {
    const by = await signer();
    const text = await newToken();
    await openTokens(hub).then((tokens) => tokens.revoke(parseJoinToken(text).id));
    const guessed = { ...parseJoinToken(text), secret: new Uint8Array(20) };
    const request = await createRequest(await ownKey(join(folder, "alpha")));
    const answers = await Promise.all(
      [guessed.id, "0000000000000000"].map(async (token) =>
        Buffer.from(
          (await by.answer(encodeEnrolmentRequest({ token, secret: guessed.secret, node: alpha, groups: [], request }), "127.0.0.1")) ?? [],
        ).toString(),
      ),
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain('"reason":"unknown"');
    expect(await ask(by, { text })).toMatchObject({ type: "refused", data: { reason: "revoked" } });
  });

  it("takes no request whose signature is wrong, or of another kind of key", async () => {
    const by = await signer();
    const { id, secret } = parseJoinToken(await newToken());
    const request = await createRequest(await ownKey(join(folder, "alpha")));
    for (const at of [10, request.length - 5]) {
      const broken = request.slice();
      broken[at] = (broken[at] ?? 0) ^ 1;
      const answer = await by.answer(encodeEnrolmentRequest({ token: id, secret, node: alpha, groups: [], request: broken }), "x");
      expect(decodeEnrolmentAnswer(answer ?? new Uint8Array(0))).toMatchObject({ type: "refused", code: "CERTIFICATE_INVALID" });
    }
    expect((await openTokens(hub).then((tokens) => tokens.list()))[0]?.used).toEqual([]);
  });

  it("hangs up on whatever is no request, soon, and never throws", async () => {
    const words = fc.oneof(
      fc.uint8Array({ maxLength: LIMITS.enrolment }),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record({
          token: fc.constant("0123456789abcdef"),
          secret: fc.string(),
          node: fc.string(),
          groups: fc.anything(),
          request: fc.string(),
        })
        .map((value) => Buffer.from(JSON.stringify(value))),
      fc.constant(Buffer.from(`${"[".repeat(2_000)}${"]".repeat(2_000)}`)),
    );
    await fc.assert(
      fc.asyncProperty(words, async (bytes) => {
        // A signer of its own for each, as one alone takes few a second.
        const by = await signer();
        const started = performance.now();
        const answer = await by.answer(new Uint8Array(bytes), "x");
        expect(performance.now() - started).toBeLessThan(500);
        if (answer !== undefined) expect(decodeEnrolmentAnswer(answer).type).toBe("refused");
      }),
      { numRuns: 60 },
    );
  });

  it("looks at so many requests at once and no more", async () => {
    const by = await signer();
    const request = await createRequest(await ownKey(join(folder, "alpha")));
    const asked = encodeEnrolmentRequest({ token: "0000000000000000", secret: new Uint8Array(20), node: alpha, groups: [], request });
    const answers = await Promise.all(Array.from({ length: 60 }, () => by.answer(asked, "x")));
    const looked = answers.filter((answer) => answer !== undefined).length;
    expect(looked).toBeGreaterThanOrEqual(40);
    // What comes back in the time of these calls themselves.
    expect(looked).toBeLessThan(50);
  });
});

describe("installCertificate", () => {
  it("keeps no certificate that is not what was asked for", async () => {
    const text = await newToken({ uses: 5 });
    const token = parseJoinToken(text);
    const by = await signer();
    const answer = await ask(by, { text });
    if (answer.type !== "issued") throw new TypeError(answer.message);
    const authority = readFileSync(identityFiles(hub).authority, "utf8");
    const other = join(folder, "other");
    await foundMesh(other, nodeId("hub"), MESH, Date.now(), SILENT);
    const foreign = readFileSync(identityFiles(other).authority, "utf8");
    const into = join(folder, "alpha");
    const attempts = [
      installCertificate(into, alpha, token, answer.certificate, foreign),
      installCertificate(into, nodeId("beta"), token, answer.certificate, authority),
      installCertificate(join(folder, "stranger"), alpha, token, answer.certificate, authority),
      installCertificate(into, alpha, token, readFileSync(identityFiles(other).certificate, "utf8"), authority),
    ];
    const codes = (await Promise.allSettled(attempts)).map((settled) =>
      settled.status === "rejected" && isMeshError(settled.reason) ? settled.reason.code : settled.status,
    );
    expect(codes).toEqual(["TOKEN_REFUSED", "CERTIFICATE_INVALID", "CERTIFICATE_INVALID", "CERTIFICATE_INVALID"]);
    expect(await readIdentity(into)).toBeUndefined();
  });
});

describe("TokenStore", () => {
  it("lists tokens with what became of them, and passes over what is damaged", async () => {
    const text = await newToken();
    await newToken({ uses: 4 });
    const tokens = await openTokens(hub);
    const [damaged] = (await tokens.list()).slice(1);
    writeFileSync(join(identityFiles(hub).tokens, damaged?.id ?? "", "token.json"), '{"secretHash":');
    expect((await tokens.list()).map(({ id, uses, revoked }) => ({ id, uses, revoked }))).toEqual([
      { id: parseJoinToken(text).id, uses: 1, revoked: false },
    ]);
    expect(await tokens.revoke(parseJoinToken(text).id)).toBe(true);
    expect(await tokens.revoke(parseJoinToken(text).id)).toBe(true);
    expect(await tokens.revoke("../../identity")).toBe(false);
    expect((await tokens.list())[0]?.revoked).toBe(true);
  });
});
