import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LIMITS } from "../../../src/core/limits.ts";
import { SILENT } from "../../../src/core/log.ts";
import { groupPatternsOf, namesOf, spanOf } from "../../../src/identity/certificate.ts";
import { decodeEnrolmentAnswer } from "../../../src/identity/enrolment.ts";
import { identityFiles } from "../../../src/identity/paths.ts";
import { openSigner, readIdentity } from "../../../src/identity/folder.ts";
import { beginRenewal, settleKey } from "../../../src/identity/renew.ts";
import { decodeRenewalRequest, encodeRenewalRequest } from "../../../src/identity/renewal.ts";
import type { Signer } from "../../../src/identity/signer.ts";
import { createKey, createRequest } from "../../../src/identity/x509.ts";
import { enrolled, found } from "../../support/members.ts";

const DAY = 86_400_000;
let folder = "";
let hub = "";
let alpha = "";

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "receptor-renewal-"));
  hub = join(folder, "hub");
  alpha = join(folder, "alpha");
  await found(hub);
  await enrolled(hub, alpha, "alpha", { groups: ["web*"] });
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function signer(): Promise<Signer> {
  const opened = await openSigner(hub, SILENT);
  if (opened === undefined) throw new TypeError("the hub does not sign");
  return opened;
}

const certificateOf = (dataDir: string): X509Certificate => new X509Certificate(readFileSync(identityFiles(dataDir).certificate));
const keyOf = (dataDir: string): string => readFileSync(identityFiles(dataDir).key, "utf8");
const fits = (dataDir: string): boolean => certificateOf(dataDir).checkPrivateKey(createPrivateKey(keyOf(dataDir)));

async function answerTo(question: Uint8Array): Promise<ReturnType<typeof decodeEnrolmentAnswer>> {
  return decodeEnrolmentAnswer(await (await signer()).renew(question));
}

describe("Signer.renew", () => {
  it("gives a new certificate for the same id, groups and key, and for a time of its own", async () => {
    const before = certificateOf(alpha);
    const renewal = await beginRenewal(alpha, false);
    await renewal.finish(await (await signer()).renew(renewal.question));
    const after = certificateOf(alpha);
    expect(after.serialNumber).not.toBe(before.serialNumber);
    expect(namesOf(after)).toEqual(namesOf(before));
    expect(groupPatternsOf(after)).toEqual(["web*"]);
    expect(after.publicKey.equals(before.publicKey)).toBe(true);
    expect(spanOf(after).until - Date.now()).toBeGreaterThan(89 * DAY);
    expect(fits(alpha)).toBe(true);
    const open = readdirSync(identityFiles(alpha).folder).filter(
      (name) => (statSync(join(identityFiles(alpha).folder, name)).mode & 0o077) !== 0,
    );
    expect(open).toEqual([]);
    expect(readdirSync(identityFiles(alpha).folder).toSorted()).toEqual(["ca.crt", "node.crt", "node.key"]);
  });

  it("gives one for a new key, and none for the old key after that", async () => {
    const before = { certificate: certificateOf(alpha), key: keyOf(alpha) };
    const renewal = await beginRenewal(alpha, true);
    await new Promise((resolve) => setTimeout(resolve, 1_000 - (Date.now() % 1_000)));
    await renewal.finish(await (await signer()).renew(renewal.question));
    expect(keyOf(alpha)).not.toBe(before.key);
    expect(fits(alpha)).toBe(true);
    const thief = await createRequest(before.key);
    const late = encodeRenewalRequest({ certificate: before.certificate, request: thief }, before.key);
    expect(await answerTo(late)).toMatchObject({ type: "refused", code: "DENIED" });
  });

  it("refuses who shows a certificate and has not its key, changes a request, or is of another authority", async () => {
    const stranger = await createKey();
    const request = await createRequest(stranger);
    const stolen = encodeRenewalRequest({ certificate: certificateOf(alpha), request }, stranger);
    expect(await answerTo(stolen)).toMatchObject({ type: "refused", code: "PROTOCOL_ERROR" });
    const { question } = await beginRenewal(alpha, false);
    const swapped = { ...JSON.parse(Buffer.from(question).toString()), request: Buffer.from(request).toString("base64url") };
    expect(await answerTo(Buffer.from(JSON.stringify(swapped)))).toMatchObject({ type: "refused", code: "PROTOCOL_ERROR" });
    const other = join(folder, "other");
    await found(other);
    const foreign = await beginRenewal(other, false);
    expect(await answerTo(foreign.question)).toMatchObject({ type: "refused", code: "CERTIFICATE_INVALID" });
  });

  it("refuses a certificate that has ended", async () => {
    const short = join(folder, "short");
    await found(short, undefined, 1_000);
    const { question } = await beginRenewal(short, false);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const by = await openSigner(short, SILENT);
    expect(decodeEnrolmentAnswer((await by?.renew(question)) ?? new Uint8Array(0))).toMatchObject({
      type: "refused",
      code: "CERTIFICATE_INVALID",
    });
  });

  it("answers whatever is no request with a refusal, soon, and no more than so many at once", async () => {
    const { question } = await beginRenewal(alpha, false);
    const cut = fc.nat(question.length - 1).map((at) => question.slice(0, at));
    // Behind it, a bit of the last letter may mean nothing.
    const signed = Buffer.from(question).indexOf('"signature"');
    const flipped = fc.nat(signed).map((at) => question.map((byte, here) => (here === at ? byte ^ 4 : byte)));
    const words = fc.oneof(fc.uint8Array({ maxLength: 500 }), cut, flipped, fc.constant(new Uint8Array(LIMITS.renewal + 1)));
    await fc.assert(
      fc.asyncProperty(words, async (bytes) => {
        const started = performance.now();
        expect((await answerTo(bytes)).type).toBe("refused");
        expect(performance.now() - started).toBeLessThan(500);
      }),
      { numRuns: 60 },
    );
    const by = await signer();
    const many = await Promise.allSettled(Array.from({ length: 60 }, () => by.renew(new Uint8Array(1))));
    expect(many.filter(({ status }) => status === "rejected").length).toBeGreaterThan(10);
  });
});

describe("a request to renew", () => {
  /** As many bytes of a new key's request that the whole is over the limit; all else is as it must be. */
  const tooMuch = new Uint8Array(LIMITS.renewal);

  it("of more than 8 KiB is not made", () => {
    expect(() => encodeRenewalRequest({ certificate: certificateOf(alpha), request: tooMuch }, keyOf(alpha))).toThrow(
      "over the limit of 8192",
    );
  });

  it("of more than 8 KiB is not read, whoever has signed it", async () => {
    const { question } = await beginRenewal(alpha, false);
    const padded = Buffer.from(`${Buffer.from(question).toString()}${" ".repeat(LIMITS.renewal)}`);
    const authority = new X509Certificate(readFileSync(identityFiles(hub).authority));
    expect(decodeRenewalRequest(padded.subarray(0, LIMITS.renewal), authority).request.length).toBeGreaterThan(0);
    expect(() => decodeRenewalRequest(padded.subarray(0, LIMITS.renewal + 1), authority)).toThrow(
      expect.objectContaining({ code: "PROTOCOL_ERROR" }),
    );
  });
});

describe("beginRenewal", () => {
  it("asks for the new key again whose answer was lost", async () => {
    const lost = await beginRenewal(alpha, true);
    await new Promise((resolve) => setTimeout(resolve, 1_000 - (Date.now() % 1_000)));
    await (await signer()).renew(lost.question);
    const again = await beginRenewal(alpha, false);
    await again.finish(await (await signer()).renew(again.question));
    expect(fits(alpha)).toBe(true);
    expect(keyOf(alpha)).not.toBe("");
    expect(readdirSync(identityFiles(alpha).folder)).not.toContain("node.key.next");
  });

  it("keeps nothing that is for another key, node or mesh", async () => {
    const before = readFileSync(identityFiles(alpha).certificate, "utf8");
    await enrolled(hub, join(folder, "beta"), "beta");
    const renewal = await beginRenewal(alpha, false);
    const beta = await beginRenewal(join(folder, "beta"), false);
    const answer = await (await signer()).renew(beta.question);
    await expect(renewal.finish(answer)).rejects.toMatchObject({ code: "CERTIFICATE_INVALID" });
    expect(readFileSync(identityFiles(alpha).certificate, "utf8")).toBe(before);
  });

  it("refuses a folder without a certificate of a mesh", async () => {
    await expect(beginRenewal(join(folder, "none"), false)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

describe("settleKey", () => {
  it("may come before the one who changes the key", async () => {
    const { writePrivate } = await import("../../../src/identity/files.ts");
    const files = identityFiles(alpha);
    const renewal = await beginRenewal(alpha, true);
    const answer = decodeEnrolmentAnswer(await (await signer()).renew(renewal.question));
    if (answer.type !== "issued") throw new TypeError(answer.message);
    const old = readFileSync(files.certificate, "utf8");
    const next = readFileSync(files.nextKey, "utf8");
    await writePrivate(files.certificate, answer.certificate);
    await settleKey(alpha);
    expect(fits(alpha)).toBe(true);
    await writePrivate(files.certificate, old);
    await renewal.finish(Buffer.from(JSON.stringify(answer)));
    expect(fits(alpha)).toBe(true);
    expect(keyOf(alpha)).toBe(next);
  });

  it("ends a change of keys that was cut short between its two files", async () => {
    const files = identityFiles(alpha);
    const old = keyOf(alpha);
    const renewal = await beginRenewal(alpha, true);
    await renewal.finish(await (await signer()).renew(renewal.question));
    // As it was before the second rename.
    renameSync(files.key, files.nextKey);
    const { writePrivate } = await import("../../../src/identity/files.ts");
    await writePrivate(files.key, old);
    expect(fits(alpha)).toBe(false);
    await settleKey(alpha);
    expect(fits(alpha)).toBe(true);
    expect((await readIdentity(alpha))?.node).toBe("alpha");
  });

  it("leaves a new key alone that has no certificate yet", async () => {
    await beginRenewal(alpha, true);
    await settleKey(alpha);
    expect(fits(alpha)).toBe(true);
    expect(readdirSync(identityFiles(alpha).folder)).toContain("node.key.next");
  });
});
